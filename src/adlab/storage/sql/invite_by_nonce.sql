-- In: hash of an invitation's nonce, or its id; the other NULL. Out: the invitation.
SELECT i.invite_id, i.client_id, i.write, i.created_by, i.expires_at, i.used_at, i.revoked_at,
       c.slug, c.name, c.brand, c.status
FROM sec.connect_invite i JOIN app.client c USING (client_id)
WHERE i.nonce_hash = CAST(:nonce_hash AS bytea) OR i.invite_id = CAST(:invite_id AS integer)
