-- Difficulty and discrimination
-- Which activities are hard at the first try, and which tell strong learners from weak ones?
-- Titles join last, on the rows that are shown.
SELECT
    activity,
    coalesce(nullIf(blocks.title, ''), if(match(activity, '^[0-9]+$'), concat('Activity ', activity), extract(activity, '([^/@]+)$'))) AS title,
    learners,
    first_try_score,
    difficulty,
    discrimination
FROM
(
    SELECT
        activity,
        count() AS learners,
        avg(first_score) AS first_try_score,
        1 - first_try_score AS difficulty,
        -- with fewer than five learners (or a group), or without any spread, a correlation says nothing
        if(countIf(others > 0) >= greatest(5, {min_group:UInt32}), ifNotFinite(corrIf(first_score, rest, others > 0), NULL), NULL) AS discrimination
    FROM
    (
        SELECT
            user_id,
            activity,
            argMin(score, at) AS first_score,
            count() OVER learner - 1 AS others,
            if(others > 0, (sum(first_score) OVER learner - first_score) / others, 0) AS rest
        FROM
        (
            SELECT
                user_id,
                ifNull(toString(activity_id), object_id) AS activity,
                assumeNotNull(scaled_score) AS score,
                (timestamp, event_id) AS at
            FROM raw_events FINAL
            WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
                AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
                AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
                AND event_type IN ('activity_attempt', 'problem') AND scaled_score IS NOT NULL AND user_id != ''
        )
        GROUP BY user_id, activity
        WINDOW learner AS (PARTITION BY user_id)
    ) AS tried
    WHERE empty({activities:Array(String)}) OR activity IN {activities:Array(String)}
    GROUP BY activity
    HAVING learners >= {min_group:UInt32}
    ORDER BY first_try_score, activity
    LIMIT {top:UInt32}
) AS ranked
LEFT JOIN
(
    SELECT location, argMax(display_name, time_last_dumped) AS title
    FROM course_blocks
    WHERE course_key IN {course_keys:Array(String)}
    GROUP BY location
) AS blocks ON blocks.location = extract(ranked.activity, '([^/]+)$')
ORDER BY first_try_score, activity
