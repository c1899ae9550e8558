-- In: job_id, worker_id, not_before, error, anew. Puts a running job of this worker back into the
-- queue; `anew` forgets its tries, for a job that went well and has more to do.
UPDATE app.job SET state = 'queued', worker_id = NULL, lease_until = NULL,
  not_before = :not_before, error = :error, attempts = CASE WHEN :anew THEN 0 ELSE attempts END
WHERE job_id = :job_id AND worker_id = :worker_id AND state = 'running' RETURNING job_id
