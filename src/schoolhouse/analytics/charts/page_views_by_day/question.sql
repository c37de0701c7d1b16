-- Page views by day
-- On which days are the most viewed pages viewed?
SELECT
    page,
    coalesce(nullIf(blocks.title, ''), if(match(page, '^[0-9]+$'), concat('Page ', page), extract(page, '([^/@]+)$'))) AS title,
    day,
    views,
    viewers
FROM
(
    SELECT page, day, views, viewers, total, dense_rank() OVER (ORDER BY total DESC, page) AS place
    FROM
    (
        SELECT
            ifNull(toString(page_id), object_id) AS page,
            toDate(timestamp) AS day,
            count() AS views,
            uniqExact(user_id) AS viewers,
            sum(views) OVER (PARTITION BY page) AS total
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type IN ('page_viewed', 'navigation')
            AND (page_id IS NOT NULL OR position(object_id, '+type@sequential+') > 0) AND user_id != ''
            AND (empty({pages:Array(String)}) OR page IN {pages:Array(String)})
        GROUP BY page, day
    )
) AS viewed
LEFT JOIN
(
    SELECT location, argMax(display_name, time_last_dumped) AS title
    FROM course_blocks
    WHERE course_key IN {course_keys:Array(String)}
    GROUP BY location
) AS blocks ON blocks.location = extract(viewed.page, '([^/]+)$')
WHERE place <= {top:UInt32} AND viewers >= {min_group:UInt32}
ORDER BY place, day
LIMIT 20000
