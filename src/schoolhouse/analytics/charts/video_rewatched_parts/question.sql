-- Parts watched again
-- Which parts of the videos do learners watch more than once?
-- Titles join last, on the rows that are shown.
SELECT
    video,
    coalesce(nullIf(blocks.title, ''), nullIf(extract(video, '([^/@]+)/?$'), ''), video) AS title,
    part_start,
    viewers,
    rewatchers,
    rewatch_rate
FROM
(
    SELECT
        video,
        part * 10 AS part_start,
        count() AS viewers,
        countIf(played_ms > 10000) AS rewatchers,
        rewatchers / viewers AS rewatch_rate
    FROM
    (
        SELECT
            ifNull(video_url, object_id) AS video,
            -- a learner of two sections may watch in both at a time, so acts pair within a section; of acts at one time, what
            -- ends a stretch comes before what starts one
            arraySort(groupArray((
                section_id,
                timestamp,
                endsWith(verb_id, '/played'),
                toInt64(round(1000 * least(14400, greatest(0, coalesce(video_seek_from, video_time, 0))))),
                coalesce(video_seek_from, video_time) IS NOT NULL))) AS acts,
            arrayFilter(
                stretch -> stretch.2 > stretch.1,
                arrayMap(
                    (act, next) -> if(
                        act.3 AND act.5 AND NOT next.3 AND next.5 AND act.1 = next.1, (act.4, next.4), (0, 0)),
                    arrayPopBack(acts),
                    arrayPopFront(acts))) AS stretches,
            arrayMap(
                stretch -> range(toUInt32(intDiv(stretch.1, 10000)), toUInt32(intDiv(stretch.2 + 9999, 10000))),
                stretches) AS parts,
            arrayMap(
                (stretch, own) -> arrayMap(
                    part -> least(stretch.2, (part + 1) * 10000) - greatest(stretch.1, part * 10000), own),
                stretches,
                parts) AS milliseconds,
            arrayReduce('sumMap', parts, milliseconds) AS played
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type = 'video' AND user_id != ''
            -- an older page of OLI Torus tells a play once more, without a position
            AND verb_id != 'http://adlnet.gov/expapi/verbs/experienced'
            AND (empty({pages:Array(String)}) OR toString(page_id) IN {pages:Array(String)})
        GROUP BY video, user_id
    ) AS watched
    ARRAY JOIN played.1 AS part, played.2 AS played_ms
    GROUP BY video, part
    HAVING viewers >= {min_group:UInt32} AND rewatchers > 0
    ORDER BY rewatchers DESC, video, part_start
    LIMIT {top:UInt32}
) AS ranked
LEFT JOIN
(
    SELECT location, argMax(display_name, time_last_dumped) AS title
    FROM course_blocks
    WHERE course_key IN {course_keys:Array(String)}
    GROUP BY location
) AS blocks ON blocks.location = extract(ranked.video, '([^/]+)$')
ORDER BY rewatchers DESC, video, part_start
