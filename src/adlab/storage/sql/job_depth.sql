-- In: now. Out: per kind and state how many jobs wait or run, and how long the oldest has waited.
SELECT kind, state, count(*) AS jobs,
  coalesce(extract(epoch FROM :now - min(greatest(due_at, not_before))), 0)::float8 AS oldest_seconds
FROM app.job WHERE state IN ('queued', 'running') GROUP BY kind, state ORDER BY kind, state
