-- Projects that carry a number
-- Which platforms have a project of this number, and which sections teach it?
-- platform, section_ids  the numbers of its sections, ascending
SELECT platform, arraySort(groupUniqArray(section_id)) AS section_ids
FROM sections FINAL
WHERE project_id = {project_id:UInt64}
GROUP BY platform
ORDER BY platform
