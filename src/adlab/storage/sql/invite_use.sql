-- In: invite_id, now. Out: the id, once, while the invitation holds.
UPDATE sec.connect_invite SET used_at = :now
WHERE invite_id = :invite_id AND used_at IS NULL AND revoked_at IS NULL AND expires_at > :now
RETURNING invite_id
