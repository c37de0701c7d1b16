-- The limit: nothing but the lines
CREATE TABLE raw_lines (line String) ENGINE = MergeTree ORDER BY tuple()
