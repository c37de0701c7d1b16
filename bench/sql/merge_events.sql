-- raw_events in one part a month
OPTIMIZE TABLE raw_events FINAL
