-- Part attempts by attempt number
-- attempt (1, 2, 3 …), attempts, mean_score (0..1), mean_hints
SELECT
    part_attempt_number AS attempt,
    count() AS attempts,
    round(avg(scaled_score), 4) AS mean_score,
    round(avg(ifNull(hints_requested, 0)), 4) AS mean_hints
FROM raw_events FINAL
WHERE event_type = 'part_attempt'
GROUP BY attempt
ORDER BY attempt
LIMIT 20
