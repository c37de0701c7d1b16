-- What was rejected at one line of a source
-- What stood on this line, and why was it rejected?
-- code, source_file, source_line, received_at (UTC), line  the line as it came, invalid bytes replaced
SELECT code, source_file, source_line, received_at, toValidUTF8(line) AS line
FROM rejected_statements FINAL
WHERE load_id = {load_id:UInt64} AND source_line = {source_line:UInt32}
ORDER BY line_digest
LIMIT 10
