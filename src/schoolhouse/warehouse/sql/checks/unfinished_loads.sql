-- Every load came to its end
-- Loads without an end that began over a day ago, or ended in an error: offenders, examined
SELECT
    countIf(error != '' OR (finished_at IS NULL AND started_at < now64(3, 'UTC') - INTERVAL 1 DAY)) AS offenders,
    count() AS examined
FROM loads FINAL
