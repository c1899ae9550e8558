-- In: client_id or NULL, now. Out: invitations that are still open.
SELECT i.invite_id, c.slug, i.write, i.created_by, i.created_at, i.expires_at
FROM sec.connect_invite i JOIN app.client c USING (client_id)
WHERE i.used_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > :now
  AND (CAST(:client_id AS integer) IS NULL OR i.client_id = :client_id)
ORDER BY i.invite_id
