-- How far the insert is that carries a tag in its log comment
-- tag: the query id of the chunk. rows and bytes read, rows written, total rows where the engine knows, seconds, memory in bytes
SELECT
    sum(read_rows) AS rows_read,
    sum(read_bytes) AS bytes_read,
    sum(written_rows) AS rows_written,
    sum(total_rows_approx) AS total_rows,
    max(elapsed) AS seconds,
    sum(memory_usage) AS memory_bytes
FROM system.processes
WHERE query_kind = 'Insert' AND position(Settings['log_comment'], {tag:String}) > 0
