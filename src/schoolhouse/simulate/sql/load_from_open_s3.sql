-- Load one table from files on S3 that ClickHouse may read by itself
-- Reads what a simulated run has written there. COLUMNS stands for the table's columns, which are the program's own.
INSERT INTO {database:Identifier}.{table:Identifier} (COLUMNS)
SELECT COLUMNS
FROM s3({url:String}, {format:String}, {structure:String})
