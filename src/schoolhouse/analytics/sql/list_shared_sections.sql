-- Section numbers that other platforms have too
-- Which of these numbers name a section of another platform as well?
-- section_id  ascending
SELECT DISTINCT section_id
FROM sections
WHERE platform != {platform:String} AND section_id IN {section_ids:Array(UInt64)}
ORDER BY section_id
