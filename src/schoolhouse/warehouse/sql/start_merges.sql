-- Merge parts again
SYSTEM START MERGES
