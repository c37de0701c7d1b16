-- Tables that store rows
-- name, engine
SELECT name, engine
FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
ORDER BY name
