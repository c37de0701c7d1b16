-- Weekly active learners
-- How many learners did anything in each week, and how many of them for the first time?
SELECT
    week,
    count() AS learners,
    countIf(week = first_week) AS new_learners,
    learners - new_learners AS returning_learners,
    sum(events) AS events
FROM
(
    SELECT
        user_id,
        toDate(toMonday(timestamp)) AS week,
        count() AS events,
        min(week) OVER (PARTITION BY user_id) AS first_week
    FROM raw_events FINAL
    WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
        AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
        AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
        AND user_id != ''
    GROUP BY user_id, week
)
GROUP BY week
HAVING learners >= {min_group:UInt32}
ORDER BY week
