-- Sections with their counts
-- Which sections are there, how busy are they, and how fresh is their newest event? Sections without events count 0; section_id 0
-- gathers the events of a platform that name no section. Reads only key columns, never the statement.
-- platform, section_id, key, title, project_id  who the section is
-- events        statements, each counted once
-- learners      distinct actors
-- newest_event  UTC, NULL where there is none
SELECT
    platform,
    section_id,
    named.key AS key,
    named.title AS title,
    named.project_id AS project_id,
    counted.events AS events,
    counted.learners AS learners,
    counted.newest_event AS newest_event
FROM
(
    SELECT
        platform,
        section_id,
        count() AS events,
        uniqExactIf(user_id, user_id != '') AS learners,
        toNullable(max(timestamp)) AS newest_event
    FROM raw_events FINAL
    GROUP BY platform, section_id
) AS counted
FULL OUTER JOIN
(
    SELECT platform, section_id, key, title, project_id
    FROM sections FINAL
) AS named USING (platform, section_id)
