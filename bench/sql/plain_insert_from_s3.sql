-- The reference: lines of objects by one plain INSERT … SELECT, through the door
INSERT INTO ingest (line, source_file, source_line)
SELECT line, concat('s3://', _path), toUInt32(_row_number + 1)
FROM s3({url:String}, 'LineAsString', 'line String')
