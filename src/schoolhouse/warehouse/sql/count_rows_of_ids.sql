-- How many rows the ids of a load have in statement_ids, of whichever load
-- rows, ids: if both are the load's accepted statements, each id stands once: all are new, and none is in conflict
SELECT count() AS rows, uniqExact(event_id) AS ids
FROM statement_ids
WHERE event_id IN (SELECT event_id FROM statement_ids WHERE load_id = {load_id:UInt64})
