-- Sections that carry a key
-- Which sections have this key, such as the key of a course run?
-- platform, section_id, key, title, project_id  who the section is
SELECT platform, section_id, key, title, project_id
FROM sections FINAL
WHERE key = {key:String} AND key != ''
