-- The first lines that a load rejected
-- source_line, code, preview (the line's first characters, invalid bytes replaced)
SELECT source_line, code, substringUTF8(toValidUTF8(line), 1, {characters:UInt32}) AS preview
FROM rejected_statements FINAL
WHERE load_id = {load_id:UInt64}
ORDER BY source_line
LIMIT {limit:UInt32}
