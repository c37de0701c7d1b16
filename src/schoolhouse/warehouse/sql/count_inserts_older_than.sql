-- Inserts through the door that began more than some seconds ago and still run
SELECT count()
FROM system.processes
WHERE query_kind = 'Insert' AND query LIKE '%INTO ingest%' AND elapsed > {seconds:Float64}
