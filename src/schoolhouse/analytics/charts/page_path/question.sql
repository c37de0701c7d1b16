-- Paths between pages
-- From which page to which do learners go next?
-- Titles join last, on the rows that are shown.
SELECT
    from_page,
    to_page,
    coalesce(nullIf(origins.title, ''), if(match(from_page, '^[0-9]+$'), concat('Page ', from_page), extract(from_page, '([^/@]+)$'))) AS from_title,
    coalesce(nullIf(targets.title, ''), if(match(to_page, '^[0-9]+$'), concat('Page ', to_page), extract(to_page, '([^/@]+)$'))) AS to_title,
    moves,
    learners
FROM
(
    SELECT
        step.1 AS from_page,
        step.2 AS to_page,
        sum(went.times) AS moves,
        count() AS learners
    FROM
    (
        SELECT user_id, step, count() AS times
        FROM
        (
            SELECT
                user_id,
                arraySort(groupArray((timestamp, event_id, page))) AS views,
                -- within half an hour, and to another page
                arrayMap(
                    (now, next) -> if(
                        next.1 <= now.1 + toIntervalMinute(30) AND next.3 != now.3, (now.3, next.3), ('', '')),
                    arrayPopBack(views),
                    arrayPopFront(views)) AS steps
            FROM
            (
                SELECT user_id, timestamp, event_id, ifNull(toString(page_id), object_id) AS page
                FROM raw_events FINAL
                WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
                    AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
                    AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
                    AND event_type IN ('page_viewed', 'navigation') AND user_id != ''
                    AND (page_id IS NOT NULL OR position(object_id, '+type@sequential+') > 0)
            )
            GROUP BY user_id
        )
        ARRAY JOIN steps AS step
        WHERE step.1 != ''
            AND (empty({pages:Array(String)}) OR step.1 IN {pages:Array(String)} OR step.2 IN {pages:Array(String)})
        GROUP BY user_id, step
    ) AS went
    GROUP BY step
    HAVING learners >= {min_group:UInt32}
    ORDER BY moves DESC, from_page, to_page
    LIMIT {top:UInt32}
) AS ranked
LEFT JOIN
(
    SELECT location, argMax(display_name, time_last_dumped) AS title
    FROM course_blocks
    WHERE course_key IN {course_keys:Array(String)}
    GROUP BY location
) AS origins ON origins.location = extract(ranked.from_page, '([^/]+)$')
LEFT JOIN
(
    SELECT location, argMax(display_name, time_last_dumped) AS title
    FROM course_blocks
    WHERE course_key IN {course_keys:Array(String)}
    GROUP BY location
) AS targets ON targets.location = extract(ranked.to_page, '([^/]+)$')
ORDER BY moves DESC, from_page, to_page
