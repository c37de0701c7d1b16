-- How many statements a load brought first, and how many contents of theirs are in conflict, in one slice of the ids
-- new: ids that this load brought first. conflict: contents that it brought first for an id that belongs to another content
-- or key. disputed: ids that stand under several keys, of this load or of one that was cut off. A content_hash of 0 says that
-- the id follows from the content, so what else stands under the key has the same content.
SELECT
    countIf(first_load = {load_id:UInt64}) AS new,
    sum(contents_of_load) - new AS conflict,
    countIf(keys > 1) AS disputed
FROM
(
    SELECT
        event_id,
        argMax(key_load, key_version) AS first_load,
        sum(key_contents) AS contents_of_load,
        count() AS keys
    FROM
    (
        SELECT
            event_id,
            max(variant_version) AS key_version,
            argMax(variant_load, variant_version) AS key_load,
            if(min(content_hash) = 0,
               toUInt64(key_load = {load_id:UInt64}),
               countIf(variant_load = {load_id:UInt64})) AS key_contents
        FROM
        (
            SELECT
                event_id,
                section_id,
                timestamp,
                user_id,
                content_hash,
                max(event_version) AS variant_version,
                argMax(load_id, event_version) AS variant_load
            FROM statement_ids
            WHERE event_id >= {first_id:UUID} AND (empty({end_id:UUID}) OR event_id < {end_id:UUID})
              AND event_id IN
              (
                  SELECT event_id
                  FROM statement_ids
                  WHERE load_id IN {loads:Array(UInt64)}
                    AND event_id >= {first_id:UUID} AND (empty({end_id:UUID}) OR event_id < {end_id:UUID})
              )
            GROUP BY event_id, section_id, timestamp, user_id, content_hash
        )
        GROUP BY event_id, section_id, timestamp, user_id
    )
    GROUP BY event_id
)
SETTINGS optimize_aggregation_in_order = 1
