-- Events by type
SELECT event_type, count() AS events, uniqExact(user_id) AS learners
FROM raw_events FINAL
GROUP BY event_type
ORDER BY events DESC
