-- One statement by its id
-- event_id, event_version (2^64 - 1 less the arrival in ns and the line), source_file, statement (as it came)
SELECT event_id, event_version, source_file, statement
FROM raw_events FINAL
WHERE (section_id, timestamp, user_id, event_id) IN
(
    SELECT section_id, timestamp, user_id, event_id FROM statement_ids WHERE event_id = {id:UUID}
)
ORDER BY event_version DESC
LIMIT 1
