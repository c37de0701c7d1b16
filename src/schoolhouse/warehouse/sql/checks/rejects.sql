-- No line was rejected
-- offenders (rejected lines), examined (events and rejected lines)
SELECT
    (SELECT count() FROM rejected_statements FINAL) AS offenders,
    offenders + (SELECT count() FROM raw_events FINAL) AS examined
