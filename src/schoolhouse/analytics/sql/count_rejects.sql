-- Rejected lines by reason
-- Why were lines rejected, how many, and which load saw the newest?
-- code, lines, newest (UTC), load_id  the load of the newest
SELECT code, count() AS lines, max(received_at) AS newest, argMax(load_id, received_at) AS load_id
FROM rejected_statements FINAL
GROUP BY code
ORDER BY lines DESC, code
