-- The one door: every statement, by whatever route, enters as one raw line
-- The table stores nothing; the view `parse_ingest` maps each line, and the views behind it keep the results.
-- line            the statement as it came, or whatever stood in its place
-- source_file     where it came from: a path, s3://bucket/key, or the name of a route
-- source_etag     the object's ETag without quotes, where there is one
-- source_line     1-based line in the source, blank lines counted
-- load_id         the load that brought it (see `loads`)
-- received_at     when it arrived, in nanoseconds: of two equal statements, the first to arrive stands
-- max_line_bytes  longer lines are rejected
-- is_rebuild      1 while stored statements go through the mapping again (`schoolhouse reprocess`)
-- up
CREATE TABLE ingest
(
    line String,
    source_file LowCardinality(String) DEFAULT '',
    source_etag LowCardinality(String) DEFAULT '',
    source_line UInt32 DEFAULT 0,
    load_id UInt64 DEFAULT 0,
    received_at DateTime64(9, 'UTC') DEFAULT now64(9, 'UTC'),
    max_line_bytes UInt32 DEFAULT 1048576,
    is_rebuild UInt8 DEFAULT 0
)
ENGINE = Null
-- down
DROP TABLE ingest
