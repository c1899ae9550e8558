-- In: job_id, worker_id, not_before, error. Puts a running job of this worker back into the queue.
UPDATE app.job SET state = 'queued', worker_id = NULL, lease_until = NULL,
  not_before = :not_before, error = :error
WHERE job_id = :job_id AND worker_id = :worker_id AND state = 'running' RETURNING job_id
