-- What the finished loads of one chunk brought, before the worker that ran them was lost
-- source: the chunk's name. rows (lines), accepted, new, rejected, bytes
SELECT
    sum(lines) AS rows,
    sum(accepted) AS accepted,
    sum(new) AS new,
    sum(rejected) AS rejected,
    sum(bytes) AS bytes
FROM loads FINAL
WHERE source = {source:String} AND finished_at IS NOT NULL
