-- In: run_id. Out: what that run had committed (and what it had itself taken over).
SELECT account_id, level, since, until FROM app.sync_slice WHERE run_id = :run_id
