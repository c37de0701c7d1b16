-- Merge no parts for now, in this process (embedded only)
SYSTEM STOP MERGES
