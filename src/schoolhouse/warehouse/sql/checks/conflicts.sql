-- No id stands for two statements
-- Ids with several contents or keys, of which the first stands: offenders (ids), examined (ids)
SELECT countIf(variants > 1) AS offenders, count() AS examined
FROM (SELECT event_id, count() AS variants FROM statement_ids FINAL GROUP BY event_id)
