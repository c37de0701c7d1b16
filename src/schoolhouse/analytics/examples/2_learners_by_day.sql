-- Learners by day, with a mean over seven days
SELECT
    toDate(timestamp) AS day,
    uniqExact(user_id) AS learners,
    round(avg(learners) OVER (ORDER BY day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW), 1) AS over_seven_days
FROM raw_events FINAL
GROUP BY day
ORDER BY day
