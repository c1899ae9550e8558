-- Out: checks of isolation on this store, newest first, for those who operate or audit.
SELECT started_at, finished_at, engine, version, attacks, roles, tried, leaks, details
FROM api.isolation_runs ORDER BY started_at DESC LIMIT 20
