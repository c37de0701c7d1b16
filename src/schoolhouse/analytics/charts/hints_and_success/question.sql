-- Hints and success
-- Does a try go better after hints?
SELECT
    least(hints, 3) AS hints_seen,
    count() AS attempts,
    uniqExactIf(user_id, user_id != '') AS learners,
    avg(score) AS mean_score,
    countIf(score >= 1) / attempts AS success_rate
FROM
(
    -- OLI Torus says with each part how many hints were seen
    SELECT user_id, assumeNotNull(hints_requested) AS hints, assumeNotNull(scaled_score) AS score
    FROM raw_events FINAL
    WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
        AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
        AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
        AND event_type = 'part_attempt' AND scaled_score IS NOT NULL AND hints_requested IS NOT NULL
        AND (empty({activities:Array(String)}) OR ifNull(toString(activity_id), object_id) IN {activities:Array(String)})
    UNION ALL
    -- Open edX tells of each hint by itself: those that came before the try count
    SELECT user_id, hints_before AS hints, score
    FROM
    (
        SELECT
            user_id,
            assumeNotNull(scaled_score) AS score,
            event_type = 'problem' AND scaled_score IS NOT NULL AS is_try,
            countIf(event_type = 'hint' AND position(object_id, '/hint/') > 0)
                OVER (PARTITION BY user_id, activity ORDER BY timestamp, event_id) AS hints_before,
            replaceRegexpOne(object_id, '/(hint/[^/]*|answer)$', '') AS activity
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type IN ('problem', 'hint') AND user_id != ''
            AND (empty({activities:Array(String)}) OR activity IN {activities:Array(String)})
    )
    WHERE is_try
)
GROUP BY hints_seen
HAVING learners >= {min_group:UInt32}
ORDER BY hints_seen
