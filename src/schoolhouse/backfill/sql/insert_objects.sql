-- Objects of a chunk into the warehouse, read by ClickHouse under its own environment or role
-- url: of one object, or of several as https://…/{a,b} (percent-encoded). format: LineAsString, JSONAsString or Parquet;
-- the compression follows from the key. The other values are the load's. Lines are numbered from 1 within each object.
INSERT INTO ingest (line, source_file, source_etag, source_line, load_id, received_at, max_line_bytes)
SELECT
    line,
    concat('s3://', _path),
    trimBoth(ifNull(_etag, {source_etag:String}), '"'),
    toUInt32(_row_number + 1),
    {load_id:UInt64},
    toDateTime64({received_at:String}, 9, 'UTC'),
    {max_line_bytes:UInt32}
FROM s3({url:String}, {format:String}, 'line String')
