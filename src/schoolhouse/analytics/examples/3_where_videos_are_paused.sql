-- Where videos are paused, by tenths of their length
SELECT
    floor(10 * video_time / video_length) * 10 AS percent,
    count() AS pauses
FROM raw_events FINAL
WHERE event_type = 'video' AND endsWith(verb_id, '/paused') AND video_length > 0 AND video_time <= video_length
GROUP BY percent
ORDER BY percent
