-- Hide events whose id belongs to another statement that came first, in one slice of the ids
-- Looks at the ids of a load, and of earlier loads of its source that were cut off before they did this themselves: their
-- rows stand in the place of equal ones of this load.
-- Of two that came at the same moment (one line number in two files of a load) always the same one stands.
-- A row with the highest version and is_conflict = 1 takes the place of the event under FINAL; nothing is deleted, so
-- `WHERE is_conflict` still shows it.
INSERT INTO raw_events
SELECT * REPLACE (18446744073709551615 AS event_version, 1 AS is_conflict)
FROM raw_events FINAL
WHERE (section_id, timestamp, user_id, event_id) IN
(
    SELECT key.1, key.2, key.3, event_id
    FROM
    (
        SELECT
            event_id,
            argMax((section_id, timestamp, user_id), (event_version, section_id, timestamp, user_id)) AS winner,
            arrayJoin(arrayFilter(key -> key != winner, groupUniqArray((section_id, timestamp, user_id)))) AS key
        FROM statement_ids
        WHERE event_id >= {first_id:UUID} AND (empty({end_id:UUID}) OR event_id < {end_id:UUID})
          AND event_id IN
          (
              SELECT event_id
              FROM statement_ids
              WHERE load_id IN {loads:Array(UInt64)}
                AND event_id >= {first_id:UUID} AND (empty({end_id:UUID}) OR event_id < {end_id:UUID})
          )
        GROUP BY event_id
    )
)
