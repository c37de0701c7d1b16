-- Every load came to its end
-- Loads without an end that began over a day ago, or ended in an error, and whose source no later load brought in: offenders,
-- examined
SELECT countIf(has_failed AND started_at > mended_at) AS offenders, count() AS examined
FROM
(
    SELECT
        started_at,
        error != '' OR (finished_at IS NULL AND started_at < now64(3, 'UTC') - INTERVAL 1 DAY) AS has_failed,
        maxIf(started_at, error = '' AND finished_at IS NOT NULL) OVER (PARTITION BY source) AS mended_at
    FROM loads FINAL
)
