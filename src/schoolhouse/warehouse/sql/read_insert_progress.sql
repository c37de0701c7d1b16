-- How far the insert that runs now has read, in bytes (embedded only: one process, one insert)
SELECT max(read_bytes) FROM system.processes WHERE query LIKE '-- Lines of a local file%'
