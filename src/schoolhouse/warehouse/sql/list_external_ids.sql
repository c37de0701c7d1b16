-- The ids under which Open edX knows a user elsewhere
-- id  as statements name the actor
SELECT DISTINCT toString(external_user_id) AS id
FROM external_id
WHERE username = {username:String}
ORDER BY id
