-- Columns of a table that store values, in their order
SELECT name
FROM system.columns
WHERE database = currentDatabase() AND `table` = {table:String} AND default_kind != 'ALIAS'
ORDER BY position
