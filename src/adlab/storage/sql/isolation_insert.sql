-- In: a finished check of the isolation. Out: its number.
INSERT INTO app.isolation_run
  (started_at, finished_at, engine, version, attacks, roles, tried, leaks, details)
VALUES (:started_at, :finished_at, :engine, :version, :attacks, :roles, :tried, :leaks,
  CAST(:details AS jsonb))
RETURNING run_id
