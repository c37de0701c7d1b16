-- Courses as published, one row a publish
-- Columns as event-sink-clickhouse writes them: every dump adds rows, the newest time_last_dumped is today's state.
-- shard: course_key
-- up
CREATE TABLE course_overviews
(
    org String,
    course_key String,
    display_name String,
    course_start Nullable(DateTime64(6, 'UTC')),
    course_end Nullable(DateTime64(6, 'UTC')),
    enrollment_start Nullable(DateTime64(6, 'UTC')),
    enrollment_end Nullable(DateTime64(6, 'UTC')),
    self_paced Bool,
    course_data_json String,
    created DateTime64(6, 'UTC'),
    modified DateTime64(6, 'UTC'),
    dump_id UUID,
    time_last_dumped DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(time_last_dumped)
ORDER BY (course_key, modified, time_last_dumped)
-- down
DROP TABLE course_overviews
