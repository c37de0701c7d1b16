-- Activity attempt performance
-- activity_id, attempts, learners, mean_score (0..1), full_score (share of attempts with the whole score, 0..1)
SELECT
    activity_id,
    count() AS attempts,
    uniqExact(user_id) AS learners,
    round(avg(scaled_score), 4) AS mean_score,
    round(countIf(scaled_score >= 1) / count(), 4) AS full_score
FROM raw_events FINAL
WHERE event_type = 'activity_attempt'
GROUP BY activity_id
ORDER BY attempts DESC, activity_id
LIMIT 20
