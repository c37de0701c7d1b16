-- Let the account of custom SQL read a table
-- It has no other rights: what is not granted is refused whatever a question says.
GRANT{on_cluster} SELECT ON `{database}`.`{table}` TO `{user}`
