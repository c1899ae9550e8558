-- Out: workers that said they live.
SELECT worker_id, host, pid, started_at, beat_at, leads FROM app.worker ORDER BY started_at
