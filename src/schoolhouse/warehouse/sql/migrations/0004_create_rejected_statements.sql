-- Lines that are not statements, with the reason
-- code is one of not_json, not_object, missing_actor, missing_verb, missing_object, bad_timestamp, line_too_long. The same
-- bad line from the same place is kept once; where a source has no name, the line itself tells it apart.
-- shard: line_digest
-- up
CREATE TABLE rejected_statements
(
    code LowCardinality(String),
    source_file LowCardinality(String),
    source_etag LowCardinality(String),
    source_line UInt32,
    line_digest FixedString(32),
    line String CODEC(ZSTD(1)),
    load_id UInt64,
    received_at DateTime64(9, 'UTC'),
    event_version UInt64
)
ENGINE = ReplacingMergeTree(event_version)
ORDER BY (source_file, source_line, line_digest)
-- down
DROP TABLE rejected_statements
