-- In: limit. Out: what runs, then what waits, then what failed last, then what was done last.
SELECT job_id, kind, slug, account_id, priority, state, due_at, attempts, worker_id, started_at,
  finished_at, rows, changed, calls, error
FROM (
  SELECT j.*, row_number() OVER (PARTITION BY state ORDER BY
    CASE WHEN state = 'queued' THEN due_at END, coalesce(finished_at, started_at) DESC) AS place
  FROM api.agency_jobs j) ranked
WHERE place <= CASE state WHEN 'failed' THEN :limit ELSE :limit / 2 END
ORDER BY array_position(ARRAY['running', 'failed', 'queued', 'done'], state), place
