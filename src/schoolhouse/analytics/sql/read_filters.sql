-- The filters of this handle
-- Does the handle carry the filters that keep it to its scope?
-- filters  condition by table
SELECT getSetting('additional_table_filters') AS filters
