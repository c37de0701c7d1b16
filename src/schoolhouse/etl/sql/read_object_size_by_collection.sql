-- Whether ClickHouse can read an object with the credentials of a named collection
-- collection: its name. size in bytes
SELECT any(_size) AS size
FROM s3({collection:Identifier}, url = {url:String}, format = 'LineAsString', structure = 'line String')
