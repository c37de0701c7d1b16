"""History into the warehouse: runs that can be paused, resumed, retried and watched.

In reading order: `states` (what a run may do), `tables` (the only truth about a run), `requests` (what an operator may
ask for), `runs` (what an operator does), `queue` (leases), `patterns` and `inventory` (which objects), `reading` and
`chunks` (their lines into the warehouse), `records` (what a chunk leaves), `planning`, `jobs` and `worker` (the work),
`chunk_logs` and `notices` (what is told of it).
"""
