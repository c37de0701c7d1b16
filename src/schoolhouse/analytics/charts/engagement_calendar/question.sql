-- When learners are active
-- On which weekdays and at which hours do learners work?
SELECT
    toDayOfWeek(timestamp) AS weekday,
    toHour(timestamp) AS hour,
    count() AS events,
    uniqExactIf(user_id, user_id != '') AS learners
FROM raw_events FINAL
WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
    AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
    AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
    AND (empty({event_types:Array(String)}) OR event_type IN {event_types:Array(String)})
GROUP BY weekday, hour
HAVING learners >= {min_group:UInt32}
ORDER BY weekday, hour
