-- In: worker_id, before. Forgets a worker that ended, and those silent since `before`.
DELETE FROM app.worker WHERE worker_id = :worker_id OR beat_at < :before
