-- Out: every connection this login may see, those in trouble first.
SELECT t.connection_id, t.client_id, c.slug, c.name AS client_name, t.token_type, t.status,
  t.status_reason, t.expires_at, t.data_expires_at, t.checked_at, t.warning, t.connected_by,
  t.scopes
FROM api.connections t JOIN api.clients c USING (client_id)
ORDER BY (t.status = 'ok'), t.expires_at NULLS LAST, lower(c.name)
