-- How many events there are, each once
SELECT count() FROM raw_events FINAL
