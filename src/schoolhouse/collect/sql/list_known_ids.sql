-- Which of these statement ids are taken
-- event_id
SELECT DISTINCT event_id FROM statement_ids WHERE event_id IN {ids:Array(UUID)}
