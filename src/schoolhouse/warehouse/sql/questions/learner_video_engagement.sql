-- Video engagement of learners
-- How many learners watched how many videos: videos, learners
SELECT videos, count() AS learners
FROM
(
    SELECT user_id, platform, uniqExact(video_url) AS videos
    FROM raw_events FINAL
    WHERE event_type = 'video'
    GROUP BY user_id, platform
)
GROUP BY videos
ORDER BY videos
LIMIT 50
