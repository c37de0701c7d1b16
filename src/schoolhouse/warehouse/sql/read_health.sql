-- The engine: version, uptime, clock
-- version, uptime_seconds, timezone, server_time (UTC), database
SELECT
    version() AS version,
    uptime() AS uptime_seconds,
    timezone() AS timezone,
    now('UTC') AS server_time,
    currentDatabase() AS database
