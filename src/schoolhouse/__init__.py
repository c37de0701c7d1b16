"""Schoolhouse: learning analytics on xAPI statements.

The way of a statement: `simulate` or a learning platform makes it, `collect` and `etl` bring it in, the
`warehouse` keeps it exactly once and maps it to an event, `analytics` asks, and `web` and `cli` show the answer.
"""

__version__ = "0.1.0"
