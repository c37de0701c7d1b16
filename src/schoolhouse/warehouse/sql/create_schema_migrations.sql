-- The ledger of migrations: one row each time one was applied or taken back
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version UInt32,
    name String,
    checksum String,
    action Enum8('up' = 1, 'down' = 2),
    at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY (version, at)
