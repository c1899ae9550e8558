-- In: invite_id, client_id or NULL, now. Out: the client of an invitation that was still open.
UPDATE sec.connect_invite SET revoked_at = :now
WHERE invite_id = :invite_id AND used_at IS NULL AND revoked_at IS NULL
  AND (CAST(:client_id AS integer) IS NULL OR client_id = :client_id)
RETURNING client_id
