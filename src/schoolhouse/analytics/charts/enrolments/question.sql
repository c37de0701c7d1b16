-- Enrolment
-- How many learners joined and left in each week, and how many are there?
SELECT
    week,
    countIf(change > 0) AS joined,
    countIf(change < 0) AS departed,
    sum(sum(change)) OVER (ORDER BY week) AS enrolled
FROM
(
    -- gone is who is gone from every section
    SELECT
        user_id,
        if(sum(registrations) > 0, minIf(first_registered, registrations > 0), min(first_seen)) AS joined_at,
        max(left_section_at) AS left_at,
        min(has_left_section) AS has_left
    FROM
    (
        SELECT
            user_id,
            section_id,
            min(timestamp) AS first_seen,
            countIf(endsWith(verb_id, '/registered')) AS registrations,
            minIf(timestamp, endsWith(verb_id, '/registered')) AS first_registered,
            maxIf(timestamp, endsWith(verb_id, '/registered')) AS last_registered,
            maxIf(timestamp, endsWith(verb_id, '/unregistered')) AS left_section_at,
            countIf(endsWith(verb_id, '/unregistered')) > 0 AND left_section_at > last_registered AS has_left_section
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND user_id != ''
        GROUP BY user_id, section_id
    )
    GROUP BY user_id
)
ARRAY JOIN
    arrayMap(at -> toDate(toMonday(at)), if(has_left, [joined_at, left_at], [joined_at])) AS week,
    if(has_left, [1, -1], [1]) AS change
GROUP BY week
ORDER BY week
