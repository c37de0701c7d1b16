-- Activity by month
-- month, activity_attempts, page_attempts, part_attempts, problems, learners
SELECT
    toStartOfMonth(timestamp) AS month,
    countIf(event_type = 'activity_attempt') AS activity_attempts,
    countIf(event_type = 'page_attempt') AS page_attempts,
    countIf(event_type = 'part_attempt') AS part_attempts,
    countIf(event_type = 'problem') AS problems,
    uniqExact(user_id) AS learners
FROM raw_events FINAL
GROUP BY month
ORDER BY month DESC
LIMIT 24
