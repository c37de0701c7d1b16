-- Sections: who they are, by platform and number
-- A section is (platform, section_id): two hosts may share a number. `key` is the number, or the course run's key from which
-- the number is derived. Rows come from statements and, with a higher version, from people and course tables.
-- shard: section_id
-- up
CREATE TABLE sections
(
    platform LowCardinality(String),
    section_id UInt64,
    key String,
    title String,
    project_id Nullable(UInt64),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (platform, section_id)
-- down
DROP TABLE sections
