-- The stored statements of one month, through the door again with their own arrival times
-- Rows that a conflict hides go last, since they came later than the statement that stands; they are hidden again after.
INSERT INTO ingest (line, source_file, source_etag, source_line, load_id, received_at, max_line_bytes, is_rebuild)
SELECT
    statement,
    source_file,
    source_etag,
    source_line,
    load_id,
    if(is_conflict, now64(9, 'UTC'),
       fromUnixTimestamp64Nano(toInt64(18446744073709551615 - event_version - source_line), 'UTC')),
    4294967295,
    1
FROM raw_events
WHERE _partition_id = {partition:String}
