-- In: hash, person_id, purpose, expires_at.
INSERT INTO sec.login_link (nonce_hash, person_id, purpose, expires_at)
VALUES (:hash, :person_id, :purpose, :expires_at)
