-- Enrolment
-- How many learners joined and left in each week, and how many are there?
SELECT
    week,
    countIf(change > 0) AS joined,
    countIf(change < 0) AS departed,
    sum(sum(change)) OVER (ORDER BY week) AS enrolled
FROM
(
    SELECT
        user_id,
        minIf(timestamp, endsWith(verb_id, '/registered')) AS registered,
        if(countIf(endsWith(verb_id, '/registered')) > 0, registered, min(timestamp)) AS joined_at,
        maxIf(timestamp, endsWith(verb_id, '/unregistered')) AS left_at,
        maxIf(timestamp, endsWith(verb_id, '/registered')) AS last_registered,
        countIf(endsWith(verb_id, '/unregistered')) > 0 AND left_at > last_registered AS has_left
    FROM raw_events FINAL
    WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
        AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
        AND user_id != ''
    GROUP BY user_id
)
ARRAY JOIN
    arrayMap(at -> toDate(toMonday(at)), if(has_left, [joined_at, left_at], [joined_at])) AS week,
    if(has_left, [1, -1], [1]) AS change
GROUP BY week
ORDER BY week
