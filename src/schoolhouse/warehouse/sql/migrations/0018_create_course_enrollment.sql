-- Who is enrolled in which course, and how
-- Columns as event-sink-clickhouse writes them: every dump adds rows, the newest time_last_dumped is today's state.
-- shard: course_key
-- up
CREATE TABLE course_enrollment
(
    id Int32,
    course_key String,
    created DateTime64(6, 'UTC'),
    is_active Bool,
    mode String,
    username String,
    user_id Int32,
    dump_id UUID,
    time_last_dumped DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(time_last_dumped)
ORDER BY (course_key, user_id, time_last_dumped)
-- down
DROP TABLE course_enrollment
