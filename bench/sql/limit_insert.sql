-- The limit: the lines as they are
INSERT INTO raw_lines SELECT line FROM file({path:String}, 'LineAsString', 'line String')
