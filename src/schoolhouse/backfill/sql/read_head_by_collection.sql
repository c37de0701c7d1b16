-- The first lines of an object, read by ClickHouse with the credentials of a named collection
-- collection: its name. url: of the object, percent-encoded. format: LineAsString, JSONAsString or Parquet. lines: how many
SELECT line
FROM s3({collection:Identifier}, url = {url:String}, format = {format:String}, structure = 'line String')
LIMIT {lines:UInt32}
