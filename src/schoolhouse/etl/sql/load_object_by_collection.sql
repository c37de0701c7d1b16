-- Lines of one object into the warehouse, read by ClickHouse with the credentials of a named collection
-- collection: its name. url of the object (percent-encoded); the other values are the load's. Line numbers are 1-based,
-- blank lines counted.
INSERT INTO ingest (line, source_file, source_etag, source_line, load_id, received_at, max_line_bytes)
SELECT
    line,
    {source_file:String},
    trimBoth(ifNull(_etag, {source_etag:String}), '"'),
    toUInt32(_row_number + 1),
    {load_id:UInt64},
    toDateTime64({received_at:String}, 9, 'UTC'),
    {max_line_bytes:UInt32}
FROM s3({collection:Identifier}, url = {url:String}, format = 'LineAsString', structure = 'line String')
