-- Which migrations stand now
-- version, name, checksum of the file when it was applied (hex), at (UTC)
SELECT
    ledger.version AS version,
    argMax(ledger.name, ledger.at) AS name,
    argMax(ledger.checksum, ledger.at) AS checksum,
    max(ledger.at) AS at
FROM schema_migrations AS ledger
GROUP BY ledger.version
HAVING argMax(ledger.action, ledger.at) = 'up'
ORDER BY ledger.version
