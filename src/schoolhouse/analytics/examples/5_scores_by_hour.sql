-- Mean score by hour of the day
SELECT toHour(timestamp) AS hour, round(avg(scaled_score), 3) AS mean_score, count() AS tries
FROM raw_events FINAL
WHERE scaled_score IS NOT NULL
GROUP BY hour
ORDER BY hour
