-- In: asked. Out: the newest run of the same question, when it did not finish and is fresh.
SELECT r.run_id, r.outcome FROM app.sync_run r
WHERE r.asked = CAST(:asked AS jsonb) AND r.started_at > now() - interval '6 hours'
ORDER BY r.run_id DESC LIMIT 1
