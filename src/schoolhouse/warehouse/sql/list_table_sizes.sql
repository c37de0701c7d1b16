-- The size of each table
-- table, engine, rows, bytes (compressed, on disk), parts, partitions, last_change (UTC)
SELECT
    tables.name AS `table`,
    tables.engine AS engine,
    sum(parts.rows) AS rows,
    sum(parts.bytes_on_disk) AS bytes,
    countIf(parts.name != '') AS parts,
    uniqExactIf(parts.partition, parts.name != '') AS partitions,
    max(parts.modification_time) AS last_change
FROM system.tables AS tables
LEFT JOIN system.parts AS parts
    ON parts.database = tables.database AND parts.`table` = tables.name AND parts.active
WHERE tables.database = currentDatabase() AND tables.engine LIKE '%MergeTree'
GROUP BY tables.name, tables.engine
ORDER BY bytes DESC, `table`
