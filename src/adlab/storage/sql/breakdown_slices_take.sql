-- In: run_id, old_run_id. Takes over what an unfinished run had committed. Out: those slices.
INSERT INTO app.breakdown_slice (run_id, account_id, breakdown, level, since, until, rows)
SELECT :run_id, account_id, breakdown, level, since, until, 0
FROM app.breakdown_slice WHERE run_id = :old_run_id
RETURNING account_id, breakdown, level, since, until
