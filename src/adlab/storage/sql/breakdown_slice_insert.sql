-- In: a committed slice of a breakdown; same transaction as its rows.
INSERT INTO app.breakdown_slice (run_id, account_id, breakdown, level, since, until, rows)
VALUES (:run_id, :account_id, :breakdown, :level, :since, :until, :rows)
