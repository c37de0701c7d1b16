-- Names of the tables and views of this database
SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name
