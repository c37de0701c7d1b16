-- No id stands for two statements
-- Ids with several contents or keys, of which the first stands: offenders (ids), examined (ids). A content_hash of 0 says
-- that the id follows from the content.
SELECT countIf(variants > 1) AS offenders, count() AS examined
FROM
(
    SELECT event_id, sum(contents) AS variants
    FROM
    (
        SELECT event_id, if(min(content_hash) = 0, 1, count()) AS contents
        FROM statement_ids FINAL
        GROUP BY event_id, section_id, timestamp, user_id
    )
    GROUP BY event_id
)
