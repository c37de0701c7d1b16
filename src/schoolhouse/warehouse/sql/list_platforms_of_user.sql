-- Platforms on which somebody has this id
-- platform
SELECT DISTINCT platform
FROM (
    SELECT platform FROM raw_events WHERE user_id = {user_id:String}
    UNION ALL
    SELECT platform FROM learners WHERE user_id = {user_id:String}
)
ORDER BY platform
