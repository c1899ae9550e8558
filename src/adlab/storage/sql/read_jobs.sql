-- In: client_ids. Out: per kind and account the newest job that ended, and any that waits or runs.
SELECT DISTINCT ON (kind, account_id, state IN ('queued', 'running'))
  kind, client_id, account_id, state, due_at, started_at, finished_at, rows, calls, error
FROM api.jobs WHERE client_id = ANY (:client_ids)
ORDER BY kind, account_id, state IN ('queued', 'running'), due_at DESC
