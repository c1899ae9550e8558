-- In: key. Out: the job of that key that waits or runs: job_id, state.
SELECT job_id, state FROM app.job WHERE key = :key AND state IN ('queued', 'running')
