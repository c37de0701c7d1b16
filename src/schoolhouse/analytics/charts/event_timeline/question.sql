-- Activity over time
-- When did which kinds of events happen, and how many learners took part?
SELECT
    toDate(dateTrunc({step:String}, timestamp)) AS since,
    event_type,
    count() AS events,
    uniqExactIf(user_id, user_id != '') AS learners
FROM raw_events FINAL
WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
    AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
    AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
    AND (empty({event_types:Array(String)}) OR event_type IN {event_types:Array(String)})
GROUP BY since, event_type
HAVING learners >= {min_group:UInt32}
ORDER BY since, event_type
