-- Tags put on courses and blocks
-- Columns as event-sink-clickhouse writes them: every dump adds rows, the newest time_last_dumped is today's state.
-- shard: object_id
-- up
CREATE TABLE object_tag
(
    id Int32,
    object_id String,
    taxonomy Int32,
    tag Int32,
    _value String,
    _export_id String,
    lineage String,
    dump_id UUID,
    time_last_dumped DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(time_last_dumped)
ORDER BY (object_id, taxonomy, id, time_last_dumped)
-- down
DROP TABLE object_tag
