-- Sections compared
-- How do the sections of the project differ in size, activity and scores?
SELECT
    section_id,
    coalesce(nullIf(named.title, ''), nullIf(named.key, ''), toString(section_id)) AS title,
    seen.learners AS learners,
    seen.active AS active_learners,
    seen.events AS events,
    seen.events / learners AS events_per_learner,
    seen.mean_score AS mean_score,
    seen.success_rate AS success_rate
FROM
(
    WITH event_type IN ('activity_attempt', 'problem') AND scaled_score IS NOT NULL AS is_try
    SELECT
        section_id,
        count() AS events,
        uniqExactIf(user_id, user_id != '') AS learners,
        uniqExactIf(user_id, user_id != '' AND timestamp > newest - toIntervalDay(7)) AS active,
        uniqExactIf(user_id, user_id != '' AND is_try) AS scored_learners,
        -- of fewer than a group nothing is told
        if(scored_learners < {min_group:UInt32}, NULL, avgIf(scaled_score, is_try)) AS mean_score,
        if(scored_learners < {min_group:UInt32}, NULL, countIf(is_try AND scaled_score >= 1) / countIf(is_try)) AS success_rate
    FROM raw_events FINAL
    CROSS JOIN
    (
        SELECT max(timestamp) AS newest
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
    ) AS newest_of_all
    WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
        AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
        AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
    GROUP BY section_id
) AS seen
LEFT JOIN
(
    SELECT section_id, title, key
    FROM sections FINAL
    WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
) AS named USING (section_id)
WHERE learners >= {min_group:UInt32}
ORDER BY learners DESC, section_id
LIMIT {top:UInt32}
