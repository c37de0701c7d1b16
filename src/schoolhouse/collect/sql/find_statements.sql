-- Statements by agent, verb, activity, registration and time of arrival, a page at a time
-- An empty text stands for no filter. Arrival is told by event_version, 2^64 - 1 less the arrival in ns and the line: it
-- falls as time rises, so newest first is its own order, and `flip` (0, or 2^64 - 1 for oldest first) turns that round. An agent
-- matches the actor, the object, and members of either; only statements that have groups, or no id of an object, are parsed for it.
-- event_id, event_version, source_file, statement (as it came)
SELECT event_id, event_version, source_file, statement
FROM raw_events FINAL
WHERE event_version BETWEEN {newest:UInt64} AND {oldest:UInt64}
  AND (bitXor(event_version, {flip:UInt64}), event_id) > ({after_version:UInt64}, {after_id:UUID})
  AND ({verb:String} = '' OR verb_id = {verb:String})
  AND ({activity:String} = '' OR object_id = {activity:String})
  AND ({registration:String} = '' OR lower(ifNull(registration, '')) = {registration:String})
  AND ({agent:String} = ''
       OR (user_id = {agent:String} AND platform = {agent_home_page:String})
       OR ((object_id = '' OR position(statement, '"Group"') > 0)
           AND arrayExists(
               one -> if({agent_home_page:String} = '',
                         {agent:String} IN (JSONExtractString(one, 'mbox'), JSONExtractString(one, 'mbox_sha1sum'), JSONExtractString(one, 'openid')),
                         JSONExtractString(one, 'account', 'name') = {agent:String}
                             AND JSONExtractString(one, 'account', 'homePage') = {agent_home_page:String}),
               arrayConcat(
                   JSONExtractArrayRaw(statement, 'actor', 'member'),
                   [JSONExtractRaw(statement, 'object')],
                   JSONExtractArrayRaw(statement, 'object', 'member')))))
ORDER BY bitXor(event_version, {flip:UInt64}), event_id
LIMIT {rows:UInt32}
