-- In: job_id, worker_id, state, now, rows, changed, calls, error. Out: one row when the job was
-- still this worker's.
UPDATE app.job SET state = :state, finished_at = :now, lease_until = NULL, rows = :rows,
  changed = :changed, calls = :calls, error = :error
WHERE job_id = :job_id AND worker_id = :worker_id AND state = 'running' RETURNING job_id
