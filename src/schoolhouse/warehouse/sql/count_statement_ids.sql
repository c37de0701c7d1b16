-- How many rows the index of statements has for these ids
-- rows
SELECT count() AS rows
FROM statement_ids
WHERE event_id IN {event_ids:Array(UUID)}
