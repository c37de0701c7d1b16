-- Grade distribution
-- How are the learners' grades spread?
SELECT
    10 * least(9, toUInt32(floor(grade * 10))) AS from_percent,
    from_percent + 10 AS to_percent,
    count() AS learners
FROM
(
    SELECT
        user_id,
        if(max(has_course_grade), argMaxIf(course_grade, at, has_course_grade), sum(points) / nullIf(sum(out_of_best), 0)) AS raw_grade,
        greatest(0, least(1, assumeNotNull(raw_grade))) AS grade
    FROM
    (
        -- of each page the best attempt counts; of course grades the newest
        SELECT
            user_id,
            event_type = 'grade' AS has_course_grade,
            argMax(scaled_score, (timestamp, event_id)) AS course_grade,
            max((timestamp, event_id)) AS at,
            if(has_course_grade, 0, argMax(score, (scaled_score, timestamp))) AS points,
            if(has_course_grade, 0, argMax(out_of, (scaled_score, timestamp))) AS out_of_best
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND user_id != '' AND scaled_score IS NOT NULL
            AND (event_type = 'page_attempt' AND out_of > 0
                OR event_type = 'grade' AND object_type = 'http://adlnet.gov/expapi/activities/course')
        GROUP BY user_id, event_type, page_id
    )
    GROUP BY user_id
    HAVING raw_grade IS NOT NULL
)
GROUP BY from_percent
HAVING learners >= {min_group:UInt32}
ORDER BY from_percent
