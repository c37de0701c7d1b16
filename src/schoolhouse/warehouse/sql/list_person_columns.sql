-- Columns that name a person or a platform, of the tables that store rows
-- table, column
SELECT `table`, name AS `column`
FROM system.columns
WHERE database = currentDatabase()
    AND name IN ('platform', 'user_id', 'username')
    AND `table` IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')
ORDER BY `table`, name
