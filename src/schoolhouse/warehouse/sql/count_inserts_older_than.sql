-- Inserts of statements that began more than some seconds ago and still run
-- Through the door, or by the mapping in one statement. inserts; seconds: how long the oldest runs
SELECT count() AS inserts, max(elapsed) AS seconds
FROM system.processes
WHERE query_kind = 'Insert'
    AND (query LIKE '%INTO ingest%' OR query LIKE '%INTO parsed_statements%')
    AND elapsed > {seconds:Float64}
