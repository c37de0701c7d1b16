-- Lines of objects, with the columns of `ingest`, read by every server of a cluster, with a named collection
-- cluster, collection: their names. url: of one object, or of several as https://…/{a,b} (percent-encoded). format: LineAsString, JSONAsString or Parquet;
-- the compression follows from the key. The other values are the load's. Lines are numbered from 1 within each object.
SELECT
    line,
    concat('s3://', _path) AS source_file,
    trimBoth(ifNull(_etag, {source_etag:String}), '"') AS source_etag,
    toUInt32(_row_number + 1) AS source_line,
    {load_id:UInt64} AS load_id,
    toDateTime64({received_at:String}, 9, 'UTC') AS received_at,
    {max_line_bytes:UInt32} AS max_line_bytes,
    toUInt8(0) AS is_rebuild
FROM s3Cluster({cluster:String}, {collection:Identifier}, url = {url:String}, format = {format:String}, structure = 'line String')
