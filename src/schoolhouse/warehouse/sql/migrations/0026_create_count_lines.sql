-- Lines of each load by verdict and event type, into load_counts
-- What was not accepted has no type.
-- up
CREATE MATERIALIZED VIEW count_lines TO load_counts AS
SELECT load_id, verdict, if(verdict = '', parsed_statements.event_type, '') AS event_type, count() AS lines, sum(line_bytes) AS bytes
FROM parsed_statements
WHERE is_rebuild = 0
GROUP BY load_id, verdict, event_type
-- down
DROP VIEW count_lines
