-- Which account stands behind the id in statements (personal data)
-- Columns as event-sink-clickhouse writes them: every dump adds rows, the newest time_last_dumped is today's state.
-- shard: external_user_id
-- up
CREATE TABLE external_id
(
    external_user_id UUID,
    external_id_type String,
    username String,
    user_id Int32,
    dump_id UUID,
    time_last_dumped DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(time_last_dumped)
ORDER BY (external_user_id, external_id_type, time_last_dumped)
-- down
DROP TABLE external_id
