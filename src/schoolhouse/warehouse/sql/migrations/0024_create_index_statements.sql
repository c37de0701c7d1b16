-- Accepted statements into statement_ids
-- up
CREATE MATERIALIZED VIEW index_statements TO statement_ids AS
SELECT event_id, section_id, timestamp, user_id, content_hash, event_version, source_file, source_line, load_id
FROM parsed_statements
WHERE verdict = '' AND is_rebuild = 0
-- down
DROP VIEW index_statements
