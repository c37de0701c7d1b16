-- Partitions of a table, with their parts and rows
-- partition_id, parts, rows
SELECT partition_id, count() AS parts, sum(rows) AS rows
FROM system.parts
WHERE database = currentDatabase() AND `table` = {table:String} AND active
GROUP BY partition_id
ORDER BY partition_id
