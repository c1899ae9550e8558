-- Out: the workers that live or lived until lately.
SELECT worker_id, host, pid, started_at, beat_at, leads FROM api.workers ORDER BY beat_at DESC LIMIT 20
