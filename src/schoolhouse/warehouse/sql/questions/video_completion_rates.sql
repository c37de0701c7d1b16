-- Video completion rates
-- video_url, viewers, completed (viewers who reached 80 % or completed), completion_rate (0..1)
SELECT
    video_url,
    uniqExact(user_id) AS viewers,
    uniqExactIf(user_id, video_progress >= 0.8 OR verb_id LIKE '%/completed') AS completed,
    round(completed / viewers, 4) AS completion_rate
FROM raw_events FINAL
WHERE event_type = 'video'
GROUP BY video_url
ORDER BY viewers DESC, video_url
LIMIT 20
