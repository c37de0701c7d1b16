-- The parts of one month of raw_events, as they are, into the table of unmerged ones
ALTER TABLE unmerged_events ATTACH PARTITION ID {partition:String} FROM raw_events
