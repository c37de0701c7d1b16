-- Load counts: how many lines of a load ended with which verdict
-- Counts lines, not statements: a line that arrives twice is two lines. Sum over the rows.
-- shard: load_id
-- up
CREATE TABLE load_counts
(
    load_id UInt64,
    verdict LowCardinality(String),
    lines UInt64,
    bytes UInt64
)
ENGINE = SummingMergeTree
ORDER BY (load_id, verdict)
-- down
DROP TABLE load_counts
