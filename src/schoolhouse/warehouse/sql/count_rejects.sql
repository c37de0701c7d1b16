-- How many rejected lines there are, each once
SELECT count() FROM rejected_statements FINAL
