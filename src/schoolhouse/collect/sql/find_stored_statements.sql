-- Statements that are stored under some of these ids
-- ids (text with commas between); event_id, statement (as it came)
SELECT event_id, statement
FROM raw_events FINAL
WHERE (section_id, timestamp, user_id, event_id) IN
(
    SELECT section_id, timestamp, user_id, event_id
    FROM statement_ids
    WHERE event_id IN (SELECT toUUID(arrayJoin(splitByChar(',', {ids:String}))))
)
