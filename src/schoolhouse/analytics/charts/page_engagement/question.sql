-- Page engagement
-- Which pages are viewed, and by how many of their viewers are they worked on?
-- Titles join last, on the rows that are shown.
SELECT
    page,
    coalesce(nullIf(blocks.title, ''), if(match(page, '^[0-9]+$'), concat('Page ', page), extract(page, '([^/@]+)$'))) AS title,
    sub_type,
    views,
    viewers,
    completers,
    completion_rate
FROM
(
    SELECT
        page,
        max(seen.sub_type) AS sub_type,
        sum(seen.times) AS views,
        count() AS viewers,
        countIf(seen.works > 0) AS completers,
        completers / viewers AS completion_rate
    FROM
    (
        SELECT
            ifNull(toString(page_id), object_id) AS page,
            user_id,
            max(ifNull(page_sub_type, '')) AS sub_type,
            countIf(event_type IN ('page_viewed', 'navigation')) AS times,
            countIf(event_type NOT IN ('page_viewed', 'navigation')) AS works
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type IN ('page_viewed', 'page_attempt', 'activity_attempt', 'part_attempt', 'navigation', 'grade')
            AND (page_id IS NOT NULL OR position(object_id, '+type@sequential+') > 0) AND user_id != ''
            AND (empty({pages:Array(String)}) OR page IN {pages:Array(String)})
        GROUP BY page, user_id
        HAVING times > 0
    ) AS seen
    GROUP BY page
    HAVING viewers >= {min_group:UInt32}
    ORDER BY views DESC, page
    LIMIT {top:UInt32}
) AS ranked
LEFT JOIN
(
    SELECT location, argMax(display_name, time_last_dumped) AS title
    FROM course_blocks
    WHERE course_key IN {course_keys:Array(String)}
    GROUP BY location
) AS blocks ON blocks.location = extract(ranked.page, '([^/]+)$')
ORDER BY views DESC, page
