-- The newest loads
-- What was loaded lately, and how did it go?
-- load_id, route, source, lines, new, duplicate, conflict, rejected, bytes, started_at, finished_at (UTC), error
SELECT load_id, route, source, lines, new, duplicate, conflict, rejected, bytes, started_at, finished_at, error
FROM loads FINAL
ORDER BY load_id DESC
LIMIT {limit:UInt32}
