-- The hardest activities with at least ten tries
SELECT
    coalesce(toString(activity_id), extract(object_id, '([^@/]+)$')) AS activity,
    count() AS tries,
    round(avg(scaled_score), 3) AS mean_score
FROM raw_events FINAL
WHERE event_type IN ('activity_attempt', 'problem') AND scaled_score IS NOT NULL
GROUP BY activity
HAVING tries >= 10
ORDER BY mean_score
LIMIT 20
