-- In: client_ids. Out: coverage, last check, last change and errors per account and level.
SELECT account_id, client_id, kind, level, since, until, checked_at, changed_at, status, error
FROM api.sync_state WHERE client_id = ANY (:client_ids)
