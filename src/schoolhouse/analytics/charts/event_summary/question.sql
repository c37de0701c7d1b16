-- Events by type
-- How much of each kind of event is there, from how many learners, and with what mean score?
SELECT
    event_type,
    count() AS events,
    uniqExactIf(user_id, user_id != '') AS learners,
    countIf(scaled_score IS NOT NULL) AS scored,
    avg(scaled_score) AS mean_score,
    max(timestamp) AS newest_event
FROM raw_events FINAL
WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
        AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
        AND (empty({event_types:Array(String)}) OR event_type IN {event_types:Array(String)})
GROUP BY event_type
HAVING learners >= {min_group:UInt32}
ORDER BY events DESC, event_type
