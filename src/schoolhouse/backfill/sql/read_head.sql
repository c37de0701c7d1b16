-- The first lines of an object, read by ClickHouse under its own environment or role
-- url: of the object, percent-encoded. format: LineAsString, JSONAsString or Parquet. lines: how many
SELECT line FROM s3({url:String}, {format:String}, 'line String') LIMIT {lines:UInt32}
