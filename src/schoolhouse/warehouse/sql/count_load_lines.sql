-- How many lines of a load ended with which verdict, by event type
-- event_type ('' unless accepted), verdict ('' accepted, blank, or a reject code), lines, bytes
SELECT verdict, event_type, sum(load_counts.lines) AS lines, sum(load_counts.bytes) AS bytes
FROM load_counts
WHERE load_id = {load_id:UInt64}
GROUP BY verdict, event_type
