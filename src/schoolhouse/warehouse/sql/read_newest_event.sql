-- The newest event, and how many there are
-- newest_event and newest_arrival (UTC), rows (before merges)
SELECT max(timestamp) AS newest_event, max(inserted_at) AS newest_arrival, count() AS rows FROM raw_events
