-- Watch curve
-- Which seconds of the video are watched, by how many, how often, and where do viewers leave it?
WITH
    if({video:String} != '', {video:String}, (
        SELECT ifNull(video_url, object_id) AS video
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type = 'video' AND endsWith(verb_id, '/played')
        GROUP BY video
        ORDER BY count() DESC, video
        LIMIT 1)) AS chosen,
    watched AS
    (
        SELECT
            user_id,
            -- of acts at one time, what ends a stretch comes before what starts one
            arraySort(groupArray((
                timestamp,
                endsWith(verb_id, '/played'),
                -- milliseconds, at most four hours: what a player may claim must not become an endless list
                toInt64(round(1000 * least(14400, greatest(0, coalesce(video_seek_from, video_time, 0))))),
                coalesce(video_seek_from, video_time) IS NOT NULL))) AS acts,
            arrayFilter(
                stretch -> stretch.2 > stretch.1,
                arrayMap(
                    (act, next) -> if(act.2 AND act.4 AND NOT next.2 AND next.4, (act.3, next.3), (0, 0)),
                    arrayPopBack(acts),
                    arrayPopFront(acts))) AS stretches,
            arrayFlatten(arrayMap(
                stretch -> range(toUInt32(intDiv(stretch.1, 1000)), toUInt32(intDiv(stretch.2 + 999, 1000))),
                stretches)) AS seconds,
            arrayMax(seconds) AS furthest
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type = 'video' AND user_id != '' AND ifNull(video_url, object_id) = chosen
            -- an older page of OLI Torus tells a play once more, without a position
            AND verb_id != 'http://adlnet.gov/expapi/verbs/experienced'
        -- a learner of two sections may watch in both at a time
        GROUP BY user_id, section_id
        HAVING notEmpty(seconds)
    )
SELECT video, second, viewers, views, still_watching
FROM
(
    SELECT
        chosen AS video,
        second,
        uniqExact(user_id) AS viewers,
        count() AS views,
        uniqExactIf(user_id, second = last_second) AS leaving,
        sum(leaving) OVER (ORDER BY second DESC) AS still_watching
    FROM
    (
        SELECT user_id, seconds, max(furthest) OVER (PARTITION BY user_id) AS last_second
        FROM watched
    )
    ARRAY JOIN seconds AS second
    GROUP BY second
)
WHERE viewers >= {min_group:UInt32}
ORDER BY second
