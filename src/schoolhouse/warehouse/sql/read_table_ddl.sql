-- The statement that would create a table as it stands
SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {table:String}
