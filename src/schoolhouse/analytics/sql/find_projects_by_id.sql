-- Projects that carry a number
-- On which platforms are there statements of a project of this number, and in which sections? A section may teach pages of several
-- projects. Reads the granules that hold the project; without FINAL, since a row that is not merged yet names the same section.
-- platform, section_ids  the numbers of the sections, ascending
SELECT platform, arraySort(groupUniqArray(section_id)) AS section_ids
FROM raw_events
WHERE project_id = {project_id:UInt64} AND section_id != 0
GROUP BY platform
ORDER BY platform
