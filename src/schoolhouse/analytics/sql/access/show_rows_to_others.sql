-- Let every other account read as before
-- Once a table has a policy, a server may show those who have none no rows at all.
CREATE ROW POLICY OR REPLACE schoolhouse_others{on_cluster} ON `{database}`.`{table}` FOR SELECT
USING 1
TO ALL EXCEPT `{user}`
