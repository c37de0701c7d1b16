-- Events by type
-- event_type, events, share (0..1), learners
SELECT
    event_type,
    count() AS events,
    round(events / sum(count()) OVER (), 4) AS share,
    uniqExact(user_id) AS learners
FROM raw_events FINAL
GROUP BY event_type
ORDER BY events DESC
