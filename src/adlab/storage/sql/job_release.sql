-- In: worker_id, now. Puts a worker's running jobs back into the queue when it ends.
UPDATE app.job SET state = 'queued', worker_id = NULL, lease_until = NULL, not_before = :now
WHERE state = 'running' AND worker_id = :worker_id RETURNING job_id
