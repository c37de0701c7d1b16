-- Partitions of events that were written to since a moment, and have more than one part
-- since: Unix seconds. partition_id
SELECT partition_id
FROM system.parts
WHERE database = currentDatabase() AND `table` IN ('raw_events', 'raw_events_local') AND active
GROUP BY partition_id
HAVING count() > 1 AND max(modification_time) >= toDateTime({since:UInt32}, 'UTC')
ORDER BY partition_id
