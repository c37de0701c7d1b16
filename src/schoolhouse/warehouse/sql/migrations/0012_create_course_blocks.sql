-- Blocks of courses as published: problems, videos, pages
-- Columns as event-sink-clickhouse writes them: every dump adds rows, the newest time_last_dumped is today's state.
-- shard: course_key
-- up
CREATE TABLE course_blocks
(
    org String,
    course_key String,
    location String,
    display_name String,
    xblock_data_json String,
    `order` Int32,
    edited_on DateTime64(6, 'UTC'),
    dump_id UUID,
    time_last_dumped DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(time_last_dumped)
ORDER BY (course_key, location, edited_on, time_last_dumped)
-- down
DROP TABLE course_blocks
