-- The same events in parts as inserts and background merges left them, which stay as they are from now on
CREATE TABLE unmerged_events AS raw_events
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1
