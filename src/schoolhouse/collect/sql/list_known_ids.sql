-- Which of these statement ids are taken
-- ids (text with commas between: to read it costs half of what an array of as many literals does); event_id
SELECT DISTINCT event_id
FROM statement_ids
WHERE event_id IN (SELECT toUUID(arrayJoin(splitByChar(',', {ids:String}))))
