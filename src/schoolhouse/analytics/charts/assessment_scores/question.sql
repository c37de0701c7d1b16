-- Activities by score
-- How well do learners do at each activity, and how often is a try all right?
-- Titles join last, on the rows that are shown.
SELECT
    activity,
    coalesce(nullIf(blocks.title, ''), if(match(activity, '^[0-9]+$'), concat('Activity ', activity), extract(activity, '([^/@]+)$'))) AS title,
    attempts,
    learners,
    mean_score,
    success_rate
FROM
(
    SELECT
        activity,
        sum(tried.tries) AS attempts,
        countIf(tried.user_id != '') AS learners,
        sum(tried.total) / attempts AS mean_score,
        sum(tried.right) / attempts AS success_rate
    FROM
    (
        SELECT
            ifNull(toString(activity_id), object_id) AS activity,
            user_id,
            count() AS tries,
            sum(assumeNotNull(scaled_score)) AS total,
            countIf(scaled_score >= 1) AS right
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type IN ('activity_attempt', 'problem') AND scaled_score IS NOT NULL
            AND (empty({activities:Array(String)}) OR activity IN {activities:Array(String)})
            AND (empty({pages:Array(String)}) OR toString(page_id) IN {pages:Array(String)})
        GROUP BY activity, user_id
    ) AS tried
    GROUP BY activity
    HAVING learners >= {min_group:UInt32}
    ORDER BY attempts DESC, activity
    LIMIT {top:UInt32}
) AS ranked
LEFT JOIN
(
    SELECT location, argMax(display_name, time_last_dumped) AS title
    FROM course_blocks
    WHERE course_key IN {course_keys:Array(String)}
    GROUP BY location
) AS blocks ON blocks.location = extract(ranked.activity, '([^/]+)$')
ORDER BY attempts DESC, activity
