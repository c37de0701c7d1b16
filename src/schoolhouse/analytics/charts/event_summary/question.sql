-- Events by type
-- How much of each kind of event is there, from how many learners, and with what mean score?
WITH
    uniqExactIf(user_id, user_id != '' AND scaled_score IS NOT NULL) AS scored_learners,
    countIf(scaled_score IS NOT NULL) AS scored_events
SELECT
    event_type,
    count() AS events,
    uniqExactIf(user_id, user_id != '') AS learners,
    -- of fewer than a group nothing is told but that there are none
    if(scored_events > 0 AND scored_learners < {min_group:UInt32}, NULL, scored_events) AS scored,
    if(scored_learners < {min_group:UInt32}, NULL, avg(scaled_score)) AS mean_score,
    max(timestamp) AS newest_event
FROM raw_events FINAL
WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
    AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
    AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
    AND (empty({event_types:Array(String)}) OR event_type IN {event_types:Array(String)})
GROUP BY event_type
HAVING learners >= {min_group:UInt32}
ORDER BY events DESC, event_type
