-- How many merges run now
SELECT count() AS merges FROM system.merges
