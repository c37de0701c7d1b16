-- What the door says about itself
-- comment
SELECT comment
FROM system.tables
WHERE database = currentDatabase() AND name = 'ingest'
