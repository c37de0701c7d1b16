-- Most events are of a known type
-- Events of type `other`: offenders, examined; more than 5 % fail the check
SELECT countIf(event_type = 'other') AS offenders, count() AS examined FROM raw_events FINAL
