-- Whether ClickHouse can read an object, under its own environment or role
-- size in bytes
SELECT any(_size) AS size FROM s3({url:String}, 'LineAsString', 'line String')
