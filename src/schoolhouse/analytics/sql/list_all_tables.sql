-- Every table of the warehouse
-- Which tables must a scoped handle not read?
-- name  tables and views of the current database
SELECT name
FROM system.tables
WHERE database = currentDatabase()
ORDER BY name
