-- In: what was asked. Out: run_id.
INSERT INTO app.sync_run (asked) VALUES (CAST(:asked AS jsonb)) RETURNING run_id
