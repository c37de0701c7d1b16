-- The version of ClickHouse
SELECT version() AS version
