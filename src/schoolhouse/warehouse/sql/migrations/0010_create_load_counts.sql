-- Load counts: how many lines of a load ended with which verdict, and of which event type they were
-- Counts lines, not statements: a line that arrives twice is two lines. Sum over the rows.
-- shard: load_id
-- up
CREATE TABLE load_counts
(
    load_id UInt64,
    verdict LowCardinality(String),
    event_type LowCardinality(String),
    lines UInt64,
    bytes UInt64
)
ENGINE = SummingMergeTree
ORDER BY (load_id, verdict, event_type)
-- down
DROP TABLE load_counts
