-- How many rows the ids of a load have in statement_ids, of whichever load, in one slice of the ids
-- rows, ids: where both are the same each id stands once; then all are new and none is in conflict, and no other column is read
SELECT count() AS rows, uniqExact(event_id) AS ids
FROM statement_ids
WHERE event_id >= {first_id:UUID} AND (empty({end_id:UUID}) OR event_id < {end_id:UUID})
  AND event_id IN
  (
      SELECT event_id
      FROM statement_ids
      WHERE load_id = {load_id:UInt64}
        AND event_id >= {first_id:UUID} AND (empty({end_id:UUID}) OR event_id < {end_id:UUID})
  )
