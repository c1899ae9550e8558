-- In: what failed and why.
INSERT INTO app.sync_state AS s (account_id, kind, level, client_id, checked_at, status, error)
VALUES (:account_id, :kind, :level, :client_id, NULL, 'failed', :error)
ON CONFLICT (account_id, kind, level) DO UPDATE SET status = 'failed', error = excluded.error
