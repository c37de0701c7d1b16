-- Loads: one row for each load, written at its start and again at its end
-- route is one of file, direct, s3, parquet, worker, backfill, xapi, reprocess. A load without finished_at was cut off: run it
-- again. lines = blank + accepted + rejected; accepted = new + duplicate + conflict; sizes in bytes.
-- shard: load_id
-- up
CREATE TABLE loads
(
    load_id UInt64,
    route LowCardinality(String),
    source String,
    etag String,
    lines UInt64,
    blank UInt64,
    accepted UInt64,
    new UInt64,
    duplicate UInt64,
    conflict UInt64,
    rejected UInt64,
    bytes UInt64,
    started_at DateTime64(3, 'UTC'),
    finished_at Nullable(DateTime64(3, 'UTC')),
    error String,
    version UInt64,
    INDEX by_source source TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY load_id
-- down
DROP TABLE loads
