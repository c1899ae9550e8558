-- In: account, kind, level and the reason Meta gave for not serving it.
INSERT INTO app.sync_state AS s (account_id, kind, level, client_id, checked_at, status, error)
VALUES (:account_id, :kind, :level, :client_id, now(), 'not_served', :error)
ON CONFLICT (account_id, kind, level)
DO UPDATE SET checked_at = now(), status = 'not_served', error = excluded.error
