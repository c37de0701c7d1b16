-- Loaded objects: which objects of S3 are in, as they were when a load ended well
-- source (s3://bucket/key), etag without quotes, load_id (see loads). An object that changes has another etag, and so
-- another row. Bulk loads and backfills skip what stands here.
-- shard: load_id
-- up
CREATE TABLE loaded_objects
(
    source String CODEC(ZSTD(1)),
    etag String,
    load_id UInt64
)
ENGINE = ReplacingMergeTree(load_id)
ORDER BY (source, etag)
-- down
DROP TABLE loaded_objects
