-- Lines of objects into the warehouse, read by ClickHouse under its own environment or role
-- url: of one object, or of several as https://…/{a,b} (percent-encoded); the other values are the load's. Line numbers
-- are 1-based within each object, blank lines counted.
INSERT INTO ingest (line, source_file, source_etag, source_line, load_id, received_at, max_line_bytes)
SELECT
    line,
    concat('s3://', _path),
    trimBoth(ifNull(_etag, {source_etag:String}), '"'),
    toUInt32(_row_number + 1),
    {load_id:UInt64},
    toDateTime64({received_at:String}, 9, 'UTC'),
    {max_line_bytes:UInt32}
FROM s3({url:String}, 'LineAsString', 'line String')
