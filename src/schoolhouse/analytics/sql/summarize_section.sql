-- One section in four numbers
-- How much happened in the section, by how many learners, since when and until when?
-- events        statements, each counted once
-- learners      distinct actors
-- first_event, newest_event  UTC; 1970 when there are no events
SELECT
    count() AS events,
    uniqExactIf(user_id, user_id != '') AS learners,
    min(timestamp) AS first_event,
    max(timestamp) AS newest_event
FROM raw_events FINAL
WHERE section_id = {section_id:UInt64} AND platform = {platform:String}
