-- Which objects of a range of names are in: loaded to the end, without an error
-- first, last: the range of sources, both included. source (s3://bucket/key), etag (as it was when it was loaded)
SELECT DISTINCT source, etag
FROM loads FINAL
WHERE source >= {first:String} AND source <= {last:String} AND finished_at IS NOT NULL AND error = ''
