"""A stand-in for a ClickHouse server: its HTTP protocol, answered by chDB. It is not ClickHouse's server.

In: requests as clickhouse-connect, curl and other HTTP clients send them. Out: the engine's own answers and errors with
the status, headers and wording of a server. It runs as a process of its own, because one process holds one directory:

    python -m tests.clickhouse_stand_in --path DIRECTORY --port 0

prints the port it listens on (127.0.0.1 only), and stops on SIGTERM or, with --stop-with-stdin, when its input closes.

What it has: accounts with passwords and settings profiles, readonly as the server applies it, bound parameters in the
URL or in a form, compression of requests and answers, streamed inserts in every format, query ids that can be seen in
`system.processes` and killed. What it lacks: sessions, external tables, grants, row policies, quotas, errors in the
middle of an answer (an answer is complete before its first byte leaves), the Native protocol's revisions, clusters.

`protocol` reads requests and writes answers, `engine` asks chDB.
"""
