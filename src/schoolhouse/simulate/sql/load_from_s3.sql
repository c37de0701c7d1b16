-- Load one table from files on S3
-- Reads what a simulated run has written there. COLUMNS stands for the table's columns, which are the program's own.
-- Without a key, ClickHouse reads as its own configuration lets it.
INSERT INTO {database:Identifier}.{table:Identifier} (COLUMNS)
SELECT COLUMNS
FROM s3({url:String}, {s3_key:String}, {s3_secret:String}, {format:String}, {structure:String})
