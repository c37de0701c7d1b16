-- Rejected lines into rejected_statements
-- up
CREATE MATERIALIZED VIEW reject_lines TO rejected_statements AS
SELECT
    verdict AS code,
    source_file,
    source_etag,
    source_line,
    event_digest AS line_digest,
    statement AS line,
    load_id,
    received_at,
    event_version
FROM parsed_statements
WHERE verdict NOT IN ('', 'blank') AND is_rebuild = 0
-- down
DROP VIEW reject_lines
