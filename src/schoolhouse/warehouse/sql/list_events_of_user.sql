-- The statements of somebody
-- event_id  of every stored row, hidden ones too
SELECT DISTINCT event_id
FROM raw_events
WHERE platform = {platform:String} AND user_id IN {user_ids:Array(String)}
