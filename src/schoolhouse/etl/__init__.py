"""Bundles from S3 into the warehouse, by one handler: in AWS Lambda, in a worker, or by hand.

- `payloads`      what an event says: its mode, its messages, the objects they name (pure)
- `keys`          what a bundle's key says: section, category, time (pure)
- `aws`           the clients of S3 and SQS, and their errors
- `objects`       one object into the warehouse: ClickHouse reads it (native), or we do (parquet)
- `answers`       what the handler answers: counts, reasons
- `event`, `bulk`, `health`  the three modes
- `dead_letters`  messages that can't be processed, and their way back
- `handler`       picks the mode; `lambda_entry` and `worker` call it
"""
