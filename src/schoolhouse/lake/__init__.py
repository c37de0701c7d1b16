"""The lake: messages of Kafka topics, one hourly window at a time, as validated Delta tables.

The path of a message, in order:

- `topics`     what is read: one file a topic, with the JSON of its messages
- `kafka`, `extract`  the offsets of a window, and reading them
- `transform`  messages to rows, rows to datasets, and the learner models SM-2, BKT and IRT
- `quality`    what is true of good rows, and how far the rows of a window are from it
- `zones`, `tables`   where the lake is, and Delta tables that are written once
- `window`, `work`    one window through all of this; `days`, `states` and `reports` are made on the way
- `ledger`     what was planned and done

`backfill` and `follow` run many windows, `dag` lets Airflow do it. `summary`, `usage`, `metrics`, `integrity` and
`alerts` tell how the lake is; `retention`, `erasure` and `upkeep` keep it small; `clickhouse` lets SQL read it.
"""
