-- Lines of objects, with the columns of `ingest`, read by ClickHouse with the credentials of a named collection
-- collection: its name. url: of one object, or of several as https://…/{a,b} (percent-encoded); the other values are the
-- load's. Line numbers are 1-based within each object, blank lines counted.
SELECT
    line,
    concat('s3://', _path) AS source_file,
    trimBoth(ifNull(_etag, {source_etag:String}), '"') AS source_etag,
    toUInt32(_row_number + 1) AS source_line,
    {load_id:UInt64} AS load_id,
    toDateTime64({received_at:String}, 9, 'UTC') AS received_at,
    {max_line_bytes:UInt32} AS max_line_bytes,
    toUInt8(0) AS is_rebuild
FROM s3({collection:Identifier}, url = {url:String}, format = 'LineAsString', structure = 'line String')
