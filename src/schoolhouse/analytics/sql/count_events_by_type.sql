-- Events by type over time
-- When did which kind of events happen in the section?
-- since       start of the hour, day, week (Monday) or month, UTC; `bucket` says which
-- event_type  kind of event
-- events      statements, each counted once
SELECT
    toDateTime(dateTrunc({bucket:String}, timestamp), 'UTC') AS since,
    event_type,
    count() AS events
FROM raw_events FINAL
WHERE section_id = {section_id:UInt64} AND platform = {platform:String}
GROUP BY since, event_type
ORDER BY since, event_type
