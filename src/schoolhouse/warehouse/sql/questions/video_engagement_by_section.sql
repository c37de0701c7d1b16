-- Video engagement by section
-- section_id, platform, plays (statements `played`), viewers, videos, completions (viewers who completed a video, by video)
SELECT
    section_id,
    platform,
    countIf(verb_id = 'https://w3id.org/xapi/video/verbs/played') AS plays,
    uniqExact(user_id) AS viewers,
    uniqExact(video_url) AS videos,
    uniqExactIf((user_id, video_url), verb_id LIKE '%/completed') AS completions
FROM raw_events FINAL
WHERE event_type = 'video'
GROUP BY section_id, platform
ORDER BY plays DESC
LIMIT 20
