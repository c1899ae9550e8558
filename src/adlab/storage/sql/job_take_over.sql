-- In: now. Puts jobs whose worker is gone back into the queue. Out: their numbers and keys.
UPDATE app.job SET state = 'queued', worker_id = NULL, lease_until = NULL, not_before = :now
WHERE state = 'running' AND lease_until <= :now RETURNING job_id, key
