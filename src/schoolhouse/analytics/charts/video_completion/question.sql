-- Video completion
-- Which videos are watched, and how many of their viewers reach the end?
-- Titles join last, on the rows that are shown.
SELECT
    video,
    coalesce(nullIf(blocks.title, ''), nullIf(extract(video, '([^/@]+)/?$'), ''), video) AS title,
    plays,
    viewers,
    finishers,
    completion_rate,
    mean_reached
FROM
(
    SELECT
        video,
        sum(viewed.plays) AS plays,
        count() AS viewers,
        countIf(viewed.completions > 0) AS finishers,
        finishers / viewers AS completion_rate,
        -- over viewers of whom a length is known; of fewer than a group nothing is told
        if(
            countIf(viewed.length IS NOT NULL) < {min_group:UInt32},
            NULL,
            avgIf(least(1, viewed.furthest / assumeNotNull(viewed.length)), viewed.length IS NOT NULL)) AS mean_reached
    FROM
    (
        SELECT
            ifNull(video_url, object_id) AS video,
            user_id,
            countIf(endsWith(verb_id, '/played')) AS plays,
            countIf(endsWith(verb_id, '/completed')) AS completions,
            greatest(0, max(ifNull(video_time, 0))) AS furthest,
            nullIf(max(ifNull(video_length, 0)), 0) AS length
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type = 'video' AND user_id != ''
            AND (empty({pages:Array(String)}) OR toString(page_id) IN {pages:Array(String)})
        GROUP BY video, user_id
        HAVING plays > 0 OR completions > 0
    ) AS viewed
    GROUP BY video
    HAVING viewers >= {min_group:UInt32}
    ORDER BY plays DESC, video
    LIMIT {top:UInt32}
) AS ranked
LEFT JOIN
(
    SELECT location, argMax(display_name, time_last_dumped) AS title
    FROM course_blocks
    WHERE course_key IN {course_keys:Array(String)}
    GROUP BY location
) AS blocks ON blocks.location = extract(ranked.video, '([^/]+)$')
ORDER BY plays DESC, video
