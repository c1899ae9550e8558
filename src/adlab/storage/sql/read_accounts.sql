-- In: client_ids. Out: accounts.
SELECT account_id, client_id, name, currency, timezone, account_status, source, seen_at
FROM api.accounts WHERE client_id = ANY (:client_ids) ORDER BY name
