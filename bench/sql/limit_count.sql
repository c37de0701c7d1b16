-- Raw lines that were inserted
SELECT count() AS rows FROM raw_lines
