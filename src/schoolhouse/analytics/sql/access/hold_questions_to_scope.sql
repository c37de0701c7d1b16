-- Hold custom SQL to its scope by a row policy
-- The account of custom SQL sees the rows of the platform and section, or project, that the query's tag names; without
-- a tag, none. The policy holds behind merge() as well, which the handle's own filters do not.
CREATE ROW POLICY OR REPLACE schoolhouse_scope{on_cluster} ON `{database}`.`{table}` FOR SELECT
USING JSONHas(getSetting('log_comment'), 'scope', 'platform')
    AND platform = JSONExtractString(getSetting('log_comment'), 'scope', 'platform')
    AND if(
        JSONHas(getSetting('log_comment'), 'scope', 'section_id'),
        section_id = JSONExtractUInt(getSetting('log_comment'), 'scope', 'section_id'),
        JSONHas(getSetting('log_comment'), 'scope', 'project_id')
            AND project_id = JSONExtractUInt(getSetting('log_comment'), 'scope', 'project_id')
    )
TO `{user}`
