-- Into the rebuilt index of ids, contents that stand nowhere else
-- Of several contents under one key the events keep the first alone; the others are known by their hashes in the old index.
INSERT INTO statement_ids
SELECT *
FROM statement_ids_rebuild FINAL
WHERE (event_id, section_id, timestamp, user_id) IN
(
    SELECT event_id, section_id, timestamp, user_id
    FROM statement_ids_rebuild
    GROUP BY event_id, section_id, timestamp, user_id
    HAVING uniqExact(content_hash) > 1
)
AND (event_id, section_id, timestamp, user_id) IN
(
    SELECT event_id, section_id, timestamp, user_id
    FROM statement_ids
    WHERE event_id IN (SELECT event_id FROM statement_ids_rebuild GROUP BY event_id HAVING count() > 1)
)
