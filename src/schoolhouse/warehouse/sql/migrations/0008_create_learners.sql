-- Learners: names for the ids in statements, where a platform shares them
-- Personal data: who may read it depends on role. user_id is the id that statements carry.
-- shard: user_id
-- up
CREATE TABLE learners
(
    platform LowCardinality(String),
    user_id String,
    username String,
    name String,
    email String,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (platform, user_id)
-- down
DROP TABLE learners
