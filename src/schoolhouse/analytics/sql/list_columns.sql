-- Columns of some tables
-- Which columns may a question name?
-- table, name, type  in the order of the tables
SELECT table, name, type
FROM system.columns
WHERE database = currentDatabase() AND table IN {tables:Array(String)}
ORDER BY table, position
