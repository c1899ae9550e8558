-- In: run_id, outcome, rows, calls.
UPDATE app.sync_run SET finished_at = now(), outcome = :outcome, rows = :rows, calls = :calls
WHERE run_id = :run_id
