-- The question of a materialized view
-- view: its name. as_select, database
SELECT as_select, database FROM system.tables WHERE database = currentDatabase() AND name = {view:String}
