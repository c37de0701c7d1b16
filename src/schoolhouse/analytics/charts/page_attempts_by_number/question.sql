-- Page scores from attempt to attempt
-- Do learners do better when they hand a page in again?
SELECT
    least(assumeNotNull(page_attempt_number), 10) AS attempt_number,
    count() AS attempts,
    uniqExactIf(user_id, user_id != '') AS learners,
    avg(assumeNotNull(scaled_score)) AS mean_score,
    countIf(scaled_score >= 1) / attempts AS success_rate
FROM raw_events FINAL
WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
    AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
    AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
    AND event_type = 'page_attempt' AND scaled_score IS NOT NULL AND page_attempt_number IS NOT NULL
    AND (empty({pages:Array(String)}) OR toString(page_id) IN {pages:Array(String)})
GROUP BY attempt_number
HAVING learners >= {min_group:UInt32}
ORDER BY attempt_number
