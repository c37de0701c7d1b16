-- Lines of each load by verdict, into load_counts
-- up
CREATE MATERIALIZED VIEW count_lines TO load_counts AS
SELECT load_id, verdict, count() AS lines, sum(line_bytes) AS bytes
FROM parsed_statements
WHERE is_rebuild = 0
GROUP BY load_id, verdict
-- down
DROP VIEW count_lines
