-- How many statements a load brought first, and how many contents of theirs are in conflict
-- new: ids that this load brought first. conflict: contents that it brought first for an id that belongs to another content
-- or key. disputed: ids that stand under several keys, of this load or of one that was cut off.
SELECT
    countIf(first_load = {load_id:UInt64}) AS new,
    sum(contents_of_load) - new AS conflict,
    countIf(keys > 1) AS disputed
FROM
(
    SELECT
        event_id,
        argMax(variant_load, variant_version) AS first_load,
        countIf(variant_load = {load_id:UInt64}) AS contents_of_load,
        uniqExact((section_id, timestamp, user_id)) AS keys
    FROM
    (
        SELECT
            event_id,
            section_id,
            timestamp,
            user_id,
            max(event_version) AS variant_version,
            argMax(load_id, event_version) AS variant_load
        FROM statement_ids
        WHERE event_id IN (SELECT event_id FROM statement_ids WHERE load_id IN {loads:Array(UInt64)})
        GROUP BY event_id, section_id, timestamp, user_id, content_hash
    )
    GROUP BY event_id
)
SETTINGS optimize_aggregation_in_order = 1
