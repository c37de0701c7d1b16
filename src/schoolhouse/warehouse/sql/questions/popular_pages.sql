-- Popular pages
-- page (number, or the activity's id), page_sub_type, views, viewers
SELECT
    coalesce(toString(page_id), object_id) AS page,
    any(page_sub_type) AS page_sub_type,
    count() AS views,
    uniqExact(user_id) AS viewers
FROM raw_events FINAL
WHERE event_type IN ('page_viewed', 'navigation')
GROUP BY page
ORDER BY views DESC, page
LIMIT 20
