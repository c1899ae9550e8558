-- In: worker_id, now, lease_until, kinds. Out: the job to do now, or no row. Live jobs come first;
-- among equals the client with the fewest running jobs, then what has waited longest.
UPDATE app.job j SET state = 'running', worker_id = :worker_id, lease_until = :lease_until,
  started_at = :now, attempts = attempts + 1
WHERE j.job_id = (
  SELECT w.job_id FROM app.job w
  WHERE w.state = 'queued' AND w.not_before <= :now AND w.kind = ANY (:kinds)
  ORDER BY w.priority,
    (SELECT count(*) FROM app.job r WHERE r.state = 'running' AND r.client_id = w.client_id),
    w.due_at, w.job_id
  LIMIT 1 FOR UPDATE OF w SKIP LOCKED)
RETURNING j.job_id, j.kind, j.key, j.client_id, j.account_id, j.priority, j.arguments, j.due_at,
  j.attempts
