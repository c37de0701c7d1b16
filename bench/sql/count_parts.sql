-- How many parts of raw_events inserts and merges have left
SELECT count() AS parts FROM system.parts WHERE database = currentDatabase() AND table = 'raw_events' AND active
