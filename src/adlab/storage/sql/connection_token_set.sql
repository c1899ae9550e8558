-- In: connection_id, the former sealed token, the new one, when it ends. Out: one row; none when
-- the token was replaced meanwhile.
UPDATE sec.connection SET token_sealed = :fresh, expires_at = :expires_at, exchanged_at = :now
WHERE connection_id = :connection_id AND token_sealed = :token_sealed
