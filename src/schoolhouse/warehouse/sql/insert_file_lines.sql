-- Lines of a local file into the warehouse, read by the engine itself (embedded only)
INSERT INTO ingest (line, source_file, source_etag, source_line, load_id, received_at, max_line_bytes)
SELECT
    line,
    {source_file:String},
    {source_etag:String},
    toUInt32(_row_number + 1),
    {load_id:UInt64},
    toDateTime64({received_at:String}, 9, 'UTC'),
    {max_line_bytes:UInt32}
FROM file({path:String}, 'LineAsString', 'line String')
