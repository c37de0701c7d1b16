-- Taxonomies, which group tags
-- Columns as event-sink-clickhouse writes them: every dump adds rows, the newest time_last_dumped is today's state.
-- shard: id
-- up
CREATE TABLE taxonomy
(
    id Int32,
    name String,
    dump_id UUID,
    time_last_dumped DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(time_last_dumped)
ORDER BY (id, time_last_dumped)
-- down
DROP TABLE taxonomy
