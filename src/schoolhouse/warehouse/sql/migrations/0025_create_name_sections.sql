-- Sections that statements speak of, into sections
-- A row with a title outranks one without.
-- up
CREATE MATERIALIZED VIEW name_sections TO sections AS
SELECT
    platform,
    section_id,
    any(section_key) AS key,
    max(section_title) AS title,
    max(project_id) AS project_id,
    toUInt64((title != '') + (project_id IS NOT NULL)) AS version
FROM parsed_statements
WHERE verdict = '' AND section_id != 0
GROUP BY platform, section_id
-- down
DROP VIEW name_sections
