-- Which objects of a range of names are in
-- first, last: the range of sources, both included. source (s3://bucket/key), etag (as it was when it was loaded)
SELECT DISTINCT source, etag
FROM loaded_objects
WHERE source >= {first:String} AND source <= {last:String}
