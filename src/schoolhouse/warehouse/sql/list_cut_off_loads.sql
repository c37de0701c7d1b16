-- Loads of a source that were cut off or failed within a month, by id, less the load that asks
-- A load's id holds its start in milliseconds, shifted by 22 bits.
SELECT load_id
FROM loads
WHERE source = {source:String}
    AND load_id < {load_id:UInt64}
    AND load_id > {load_id:UInt64} - bitShiftLeft(toUInt64(2678400000), 22)
GROUP BY load_id
HAVING countIf(finished_at IS NOT NULL) = 0
ORDER BY load_id
