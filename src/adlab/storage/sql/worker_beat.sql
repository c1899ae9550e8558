-- In: worker_id, host, pid, now, leads. Says that a worker lives.
INSERT INTO app.worker (worker_id, host, pid, started_at, beat_at, leads)
VALUES (:worker_id, :host, :pid, :now, :now, :leads)
ON CONFLICT (worker_id) DO UPDATE SET beat_at = excluded.beat_at, leads = excluded.leads
