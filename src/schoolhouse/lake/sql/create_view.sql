-- A view over a Delta table of the lake.
-- Answers: what the dataset holds now; columns and units are those of docs/lake-datasets.md.
-- The names and the reader are put in by schoolhouse.lake.clickhouse: a view takes no bound values.
CREATE OR REPLACE VIEW `{{view}}` {{cluster}}AS SELECT * FROM {{source}}
