-- How many rows a load left behind that was stopped in the middle
-- rows: before merges, so each line that got in
SELECT count() AS rows FROM raw_events WHERE load_id = {load_id:UInt64}
