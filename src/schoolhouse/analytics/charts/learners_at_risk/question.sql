-- Learners at risk
-- Which learners have fallen silent, and which fall behind the others?
SELECT
    if({shows_learners:Bool}, user_id, concat('learner ', substring(lower(hex(SHA256(concat({pepper:String}, '\n', user_id)))), 1, 10))) AS learner,
    last_event,
    dateDiff('day', last_event, today) AS silent_days,
    activities AS activities_tried,
    typical AS typical_activities,
    mean_score,
    multiIf(silent_days >= {silent_days:UInt32}, 'silent', 'behind') AS risk
FROM
(
    SELECT
        user_id,
        max(timestamp) AS last_event,
        max(last_event) OVER () AS today,
        uniqExactIf(ifNull(toString(activity_id), object_id), event_type IN ('activity_attempt', 'problem') AND scaled_score IS NOT NULL) AS activities,
        quantileExact(activities) OVER () AS typical,
        avgIf(scaled_score, event_type IN ('activity_attempt', 'problem')) AS mean_score,
        maxIf(timestamp, endsWith(verb_id, '/unregistered')) > maxIf(timestamp, endsWith(verb_id, '/registered')) AS has_left,
        countIf(endsWith(verb_id, '/passed')) > 0 AS has_passed
    FROM raw_events FINAL
    WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
        AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
        AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
        AND user_id != ''
    GROUP BY user_id
)
WHERE NOT has_left AND NOT has_passed AND (silent_days >= {silent_days:UInt32} OR activities * 2 < typical)
ORDER BY silent_days DESC, learner
LIMIT {top:UInt32}
