-- One load
-- What did this load bring?
-- load_id, route, source, lines, accepted, new, duplicate, conflict, rejected, blank, bytes, started_at, finished_at, error
SELECT
    load_id, route, source, lines, accepted, new, duplicate, conflict, rejected, blank, bytes, started_at, finished_at,
    error
FROM loads FINAL
WHERE load_id = {load_id:UInt64}
