-- Sections at a glance
-- section_id, platform, events, learners, event_types, mean_score (0..1), first_event and newest_event (UTC)
SELECT
    section_id,
    platform,
    count() AS events,
    uniqExact(user_id) AS learners,
    uniqExact(event_type) AS event_types,
    round(avg(scaled_score), 4) AS mean_score,
    min(timestamp) AS first_event,
    max(timestamp) AS newest_event
FROM raw_events FINAL
GROUP BY section_id, platform
ORDER BY events DESC
LIMIT 20
