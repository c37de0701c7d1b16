-- Statements that arrived since a moment (Unix seconds) into the tables that were swapped out, through the door again
-- Their arrival times are kept, so those that the new tables have already change nothing.
INSERT INTO ingest (line, source_file, source_etag, source_line, load_id, received_at, max_line_bytes, is_rebuild)
SELECT
    statement,
    source_file,
    source_etag,
    source_line,
    load_id,
    fromUnixTimestamp64Nano(toInt64(18446744073709551615 - event_version - source_line), 'UTC'),
    4294967295,
    2
FROM raw_events_rebuild
WHERE inserted_at >= toDateTime({since:UInt32}, 'UTC') AND NOT is_conflict
