-- In: connection_id or null, client_ids. Out: connections to Meta, newest first; no secrets.
SELECT n.connection_id, n.client_id, c.slug, n.status, n.status_reason, n.token_type, n.scopes,
       n.expires_at, n.data_expires_at, n.checked_at, n.warning, n.meta_user_name, n.connected_by
FROM api.connections n JOIN api.clients c USING (client_id)
WHERE n.client_id = ANY (:client_ids)
  AND (CAST(:connection_id AS integer) IS NULL OR n.connection_id = :connection_id)
ORDER BY n.connection_id DESC LIMIT 100
