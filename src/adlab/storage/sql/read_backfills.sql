-- In: client_ids. Out: loads of history.
SELECT account_id, client_id, since, until, levels, reached, calls, rows, seconds, requested_at,
  finished_at
FROM api.backfills WHERE client_id = ANY (:client_ids) ORDER BY account_id
