-- In: connection_id, asked_before, now. Out: the connection, for the one process that asks Meta
-- about it now; no row when another was faster.
UPDATE sec.connection n SET facts_at = :now
FROM app.client c
WHERE n.connection_id = :connection_id AND c.client_id = n.client_id
  AND n.token_sealed IS NOT NULL AND (n.facts_at IS NULL OR n.facts_at <= :asked_before)
RETURNING n.connection_id, n.client_id, c.slug, n.token_sealed, n.app_id, n.token_type,
          n.meta_user_id, n.meta_user_name, n.connected_by, n.scopes, n.expires_at,
          n.data_expires_at, n.status, n.status_reason, n.warning
