-- The tables of the two schemas that Aspects reads
-- database, name: which of the tables that a run writes are there.
SELECT database, name
FROM system.tables
WHERE database IN ({xapi:String}, {event_sink:String})
