-- Statement ids: a narrow index of every accepted statement, for look-ups by id
-- One row for each distinct content under each key. An id with several rows is in conflict: the first to arrive stands.
-- content_hash ignores the order of keys, white space, and what a store adds (stored, authority, version); it is 0 where the id
-- was derived from the content, so that the same statement with that id written into it is no conflict. Small granules, since
-- ids are asked one by one.
-- shard: event_id
-- up
CREATE TABLE statement_ids
(
    event_id UUID,
    section_id UInt64,
    timestamp DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    user_id String,
    content_hash UInt64,
    event_version UInt64,
    source_file LowCardinality(String),
    source_line UInt32,
    load_id UInt64
)
ENGINE = ReplacingMergeTree(event_version)
PRIMARY KEY event_id
ORDER BY (event_id, section_id, timestamp, user_id, content_hash)
SETTINGS index_granularity = 1024
-- down
DROP TABLE statement_ids
