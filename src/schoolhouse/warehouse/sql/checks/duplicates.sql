-- No statement counts twice
-- Ids with more than one event: offenders (ids), examined (events)
SELECT countIf(events > 1) AS offenders, sum(events) AS examined
FROM (SELECT event_id, count() AS events FROM raw_events FINAL GROUP BY event_id)
