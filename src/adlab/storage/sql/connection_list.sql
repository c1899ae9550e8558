-- In: client_id or NULL, connection_id or NULL. Out: connections with their accounts; no token.
SELECT n.connection_id, n.client_id, c.slug, c.name AS client, n.app_id, n.meta_user_id,
       n.meta_user_name, n.token_type, n.scopes, n.expires_at, n.data_expires_at, n.status,
       n.status_reason, n.warning, n.connected_by, n.created_at, n.facts_at, n.exchanged_at,
       n.token_sealed IS NOT NULL AS has_token,
       ARRAY(SELECT a.account_id FROM app.account a WHERE a.connection_id = n.connection_id
             ORDER BY a.account_id) AS accounts
FROM sec.connection n JOIN app.client c USING (client_id)
WHERE (CAST(:client_id AS integer) IS NULL OR n.client_id = :client_id)
  AND (CAST(:connection_id AS integer) IS NULL OR n.connection_id = :connection_id)
ORDER BY c.slug, n.connection_id
