-- In: a committed slice; same transaction as its rows.
INSERT INTO app.sync_slice (run_id, account_id, level, since, until, rows)
VALUES (:run_id, :account_id, :level, :since, :until, :rows)
