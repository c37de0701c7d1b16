-- Partitions of raw_events
SELECT DISTINCT partition_id
FROM system.parts
WHERE database = currentDatabase() AND table = 'raw_events' AND active
