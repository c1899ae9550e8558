-- In: account_id. Out: the account with its client, its sealed token and what that token may do.
SELECT a.account_id, a.client_id, c.slug, a.currency, a.timezone, a.source,
       a.min_daily_budget_minor, a.connection_id, n.token_sealed, n.status AS connection_status,
       n.status_reason, n.scopes
FROM app.account a
JOIN app.client c USING (client_id)
LEFT JOIN sec.connection n ON n.connection_id = a.connection_id
WHERE a.account_id = :account_id
