-- Statements that are stored under some of these ids
-- event_id, statement (as it came)
SELECT event_id, statement
FROM raw_events FINAL
WHERE (section_id, timestamp, user_id, event_id) IN
(
    SELECT section_id, timestamp, user_id, event_id
    FROM statement_ids
    WHERE event_id IN {ids:Array(UUID)}
)
