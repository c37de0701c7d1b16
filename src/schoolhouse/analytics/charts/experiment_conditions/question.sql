-- Experiment conditions compared
-- Do learners of one condition score better than those of another?
WITH countIf(tries > 0) AS scored
SELECT
    experiment,
    condition,
    count() AS learners,
    -- of fewer than a group nothing is told but that there are none
    if(scored > 0 AND scored < {min_group:UInt32}, NULL, scored) AS scored_learners,
    if(scored > 0 AND scored < {min_group:UInt32}, NULL, sum(tries)) AS attempts,
    if(scored >= {min_group:UInt32}, avgIf(score, tries > 0), NULL) AS mean_score,
    if(scored >= {min_group:UInt32}, ifNotFinite(stddevSampIf(score, tries > 0), NULL), NULL) AS deviation,
    -- 95 in 100 such intervals hold the true mean
    mean_score - 1.96 * deviation / sqrt(scored) AS low,
    mean_score + 1.96 * deviation / sqrt(scored) AS high
FROM
(
    SELECT
        given.experiment AS experiment,
        given.condition AS condition,
        given.user_id AS user_id,
        countIf(tried.is_try AND tried.at >= given.since) AS tries,
        if(tries > 0, sumIf(tried.score, tried.is_try AND tried.at >= given.since) / tries, 0) AS score
    FROM
    (
        SELECT
            user_id,
            coalesce(experiment_uuid, toString(experiment_id), '') AS experiment,
            argMin(coalesce(condition_code, toString(condition_id), ''), (timestamp, event_id)) AS condition,
            min(timestamp) AS since
        FROM experiment_attributions FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND attribution_type = 'assignment' AND is_valid AND user_id != ''
        GROUP BY user_id, experiment
    ) AS given
    LEFT JOIN
    (
        SELECT user_id, timestamp AS at, assumeNotNull(scaled_score) AS score, true AS is_try
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type IN ('activity_attempt', 'problem') AND scaled_score IS NOT NULL
            AND (empty({activities:Array(String)}) OR ifNull(toString(activity_id), object_id) IN {activities:Array(String)})
            AND (empty({pages:Array(String)}) OR toString(page_id) IN {pages:Array(String)})
    ) AS tried ON tried.user_id = given.user_id
    GROUP BY experiment, condition, user_id
)
GROUP BY experiment, condition
HAVING learners >= {min_group:UInt32}
ORDER BY experiment, condition
