-- Page engagement by section
-- section_id, platform, views, viewers, pages
SELECT
    section_id,
    platform,
    count() AS views,
    uniqExact(user_id) AS viewers,
    uniqExact(coalesce(toString(page_id), object_id)) AS pages
FROM raw_events FINAL
WHERE event_type IN ('page_viewed', 'navigation')
GROUP BY section_id, platform
ORDER BY views DESC
LIMIT 20
