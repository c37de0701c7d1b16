-- Lines of a local file, with the columns of `ingest`, read by the engine itself (embedded only)
SELECT
    line,
    {source_file:String} AS source_file,
    {source_etag:String} AS source_etag,
    toUInt32(_row_number + {first_line:UInt32}) AS source_line,
    {load_id:UInt64} AS load_id,
    toDateTime64({received_at:String}, 9, 'UTC') AS received_at,
    {max_line_bytes:UInt32} AS max_line_bytes,
    toUInt8(0) AS is_rebuild
FROM file({path:String}, 'LineAsString', 'line String')
