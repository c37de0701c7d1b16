-- Sections that carry a number
-- Which platforms have a section of this number? Number 0 asks which platforms have events that name no section.
-- platform, section_id, key, title, project_id  who the section is
SELECT platform, section_id, key, title, project_id
FROM sections FINAL
WHERE section_id = {section_id:UInt64}
UNION ALL
SELECT DISTINCT platform, section_id, '' AS key, '' AS title, CAST(NULL, 'Nullable(UInt64)') AS project_id
FROM raw_events
WHERE section_id = {section_id:UInt64} AND {section_id:UInt64} = 0
