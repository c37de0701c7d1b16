-- Video events under the names of the first pipelines
-- Each statement once: the view reads FINAL, since FINAL on a view is ignored without a word.
-- up
CREATE VIEW video_events AS
SELECT
    event_id,
    user_id,
    platform AS host_name,
    platform,
    section_id,
    project_id,
    publication_id,
    timestamp,
    extract(verb_id, '[^/]+$') AS verb,
    verb_id,
    page_id,
    content_element_id,
    video_url,
    video_time,
    video_length,
    video_progress,
    video_played_segments,
    video_seek_from,
    video_seek_to,
    session_id
FROM raw_events
FINAL
WHERE event_type = 'video'
-- down
DROP VIEW video_events
