-- In: client_id or NULL, account_id or NULL. Out: accounts that sync, with sealed token.
SELECT a.account_id, a.client_id, c.slug, a.name, a.currency, a.timezone, a.account_status,
       a.connection_id, n.token_sealed, n.status AS connection_status, n.status_reason,
       CASE WHEN n.status = 'ok' THEN n.warning END AS warning
FROM app.account a
JOIN app.client c USING (client_id)
LEFT JOIN sec.connection n ON n.connection_id = a.connection_id
WHERE a.source = 'meta'
  AND (CAST(:client_id AS integer) IS NULL OR a.client_id = :client_id)
  AND (CAST(:account_id AS bigint) IS NULL OR a.account_id = :account_id)
ORDER BY a.account_id
