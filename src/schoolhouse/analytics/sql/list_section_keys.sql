-- Keys and names of some sections
-- What are these sections of a platform called?
-- section_id, key, title  who the section is
SELECT section_id, key, title
FROM sections FINAL
WHERE platform = {platform:String} AND section_id IN {section_ids:Array(UInt64)}
ORDER BY section_id
