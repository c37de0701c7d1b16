-- Time on task
-- How long do learners work at a stretch, and how much in a week?
SELECT
    toDate(toMonday(session.1)) AS week,
    count() AS sessions,
    uniqExact(user_id) AS learners,
    quantileExact(session.2) AS median_minutes,
    quantileExact(0.9)(session.2) AS p90_minutes,
    sum(session.2) / 60 AS hours
FROM
(
    SELECT
        user_id,
        arraySort(groupArray(toUnixTimestamp64Milli(timestamp))) AS times,
        arraySplit((at, gap_ms) -> gap_ms > 1800000, times, arrayDifference(times)) AS parts,
        arrayJoin(parts) AS part,
        (fromUnixTimestamp64Milli(part[1], 'UTC'), (part[-1] - part[1]) / 60000) AS session
    FROM raw_events FINAL
    WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
        AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
        AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
        AND user_id != ''
    GROUP BY user_id
)
GROUP BY week
HAVING learners >= {min_group:UInt32}
ORDER BY week
