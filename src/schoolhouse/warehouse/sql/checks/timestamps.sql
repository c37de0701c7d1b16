-- Timestamps are sane
-- Events before 1990 or more than a day after they arrived: offenders, examined
SELECT
    countIf(timestamp < toDateTime64('1990-01-01 00:00:00', 3, 'UTC') OR timestamp > inserted_at + INTERVAL 1 DAY) AS offenders,
    count() AS examined
FROM raw_events FINAL
