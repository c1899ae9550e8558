-- In: worker_id, lease_until, now. Out: the worker's jobs whose lease goes on; one that is missing
-- was taken over by another worker.
UPDATE app.job SET lease_until = :lease_until
WHERE worker_id = :worker_id AND state = 'running' AND lease_until > :now RETURNING job_id
