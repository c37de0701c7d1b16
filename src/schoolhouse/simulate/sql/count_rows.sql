-- Rows of one table
-- rows: how many there are, to tell how many a load has added.
SELECT count() AS rows
FROM {database:Identifier}.{table:Identifier}
