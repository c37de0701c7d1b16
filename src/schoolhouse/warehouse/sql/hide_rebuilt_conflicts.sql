-- In the rebuilt tables, hide events whose id belongs to another statement that came first
-- Of two that came at the same moment (one line number in two files of a load) always the same one stands.
-- A row with the highest version and is_conflict = 1 takes the place of the event under FINAL; nothing is deleted, so
-- `WHERE is_conflict` still shows it.
INSERT INTO raw_events_rebuild
SELECT * REPLACE (18446744073709551615 AS event_version, 1 AS is_conflict)
FROM raw_events_rebuild FINAL
WHERE (section_id, timestamp, user_id, event_id) IN
(
    SELECT key.1, key.2, key.3, event_id
    FROM
    (
        SELECT
            event_id,
            argMax((section_id, timestamp, user_id), (event_version, section_id, timestamp, user_id)) AS winner,
            arrayJoin(arrayFilter(key -> key != winner, groupUniqArray((section_id, timestamp, user_id)))) AS key
        FROM statement_ids_rebuild
        GROUP BY event_id
        HAVING uniqExact((section_id, timestamp, user_id)) > 1
    )
)
