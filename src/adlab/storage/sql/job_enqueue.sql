-- In: kind, key, client_id, account_id, priority, arguments (JSON text), due_at, not_before.
-- Out: the job's number, or no row when one of that key is waiting or running already.
INSERT INTO app.job (kind, key, client_id, account_id, priority, arguments, due_at, not_before)
VALUES (:kind, :key, :client_id, :account_id, :priority, CAST(:arguments AS jsonb), :due_at,
        :not_before)
ON CONFLICT (key) WHERE state IN ('queued', 'running') DO NOTHING RETURNING job_id
