-- Page attempt performance
-- page_id, attempts, learners, mean_score (0..1)
SELECT
    page_id,
    count() AS attempts,
    uniqExact(user_id) AS learners,
    round(avg(scaled_score), 4) AS mean_score
FROM raw_events FINAL
WHERE event_type = 'page_attempt'
GROUP BY page_id
ORDER BY attempts DESC, page_id
LIMIT 20
