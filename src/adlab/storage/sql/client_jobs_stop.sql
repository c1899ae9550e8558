-- In: client_id. Takes a client's waiting jobs out of the queue. Out: how many of its jobs run.
WITH gone AS (
  DELETE FROM app.job WHERE client_id = :client_id AND state = 'queued' RETURNING job_id),
load AS (
  DELETE FROM app.backfill WHERE client_id = :client_id RETURNING account_id)
SELECT count(*) FROM app.job WHERE client_id = :client_id AND state = 'running'
