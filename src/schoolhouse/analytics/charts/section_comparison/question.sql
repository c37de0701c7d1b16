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
    SELECT
        section_id,
        count() AS events,
        uniqExactIf(user_id, user_id != '') AS learners,
        uniqExactIf(user_id, user_id != '' AND timestamp > newest - toIntervalDay(7)) AS active,
        avgIf(scaled_score, event_type IN ('activity_attempt', 'problem')) AS mean_score,
        countIf(event_type IN ('activity_attempt', 'problem') AND scaled_score >= 1)
            / nullIf(countIf(event_type IN ('activity_attempt', 'problem') AND scaled_score IS NOT NULL), 0) AS success_rate
    FROM raw_events FINAL
    CROSS JOIN
    (
        SELECT max(timestamp) AS newest
        FROM raw_events
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
        AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
    ) AS newest_of_all
    WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
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
