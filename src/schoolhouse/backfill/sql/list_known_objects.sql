-- Which of some objects are in, and the name of the load that brought each
-- sources: their names. source, etag, load_source (the source of the load: name of the run, batch, chunk)
SELECT known.source AS source, known.etag AS etag, brought.source AS load_source
FROM
(
    SELECT source, etag, max(load_id) AS load_id
    FROM loaded_objects
    WHERE source IN {sources:Array(String)}
    GROUP BY source, etag
) AS known
LEFT JOIN
(
    SELECT load_id, any(loads.source) AS source
    FROM loads
    WHERE load_id IN (SELECT load_id FROM loaded_objects WHERE source IN {sources:Array(String)})
    GROUP BY load_id
) AS brought ON brought.load_id = known.load_id
