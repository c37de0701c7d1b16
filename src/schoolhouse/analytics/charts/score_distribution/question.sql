-- Score distribution and hints
-- How are the scores of tries spread, and how many hints went with them?
SELECT
    20 * least(4, greatest(0, toInt32(floor(assumeNotNull(scaled_score) * 5)))) AS from_percent,
    from_percent + 20 AS to_percent,
    count() AS attempts,
    uniqExactIf(user_id, user_id != '') AS learners,
    -- of fewer than a group nothing is told
    if(uniqExactIf(user_id, user_id != '' AND hints_requested IS NOT NULL) < {min_group:UInt32}, NULL, avg(hints_requested)) AS mean_hints
FROM raw_events FINAL
WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
    AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
    AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
    AND event_type IN ('part_attempt', 'problem') AND scaled_score IS NOT NULL
    AND (empty({activities:Array(String)}) OR ifNull(toString(activity_id), object_id) IN {activities:Array(String)})
    AND (empty({pages:Array(String)}) OR toString(page_id) IN {pages:Array(String)})
GROUP BY from_percent
HAVING learners >= {min_group:UInt32}
ORDER BY from_percent
