-- In: an invitation. Out: invite_id.
INSERT INTO sec.connect_invite (client_id, nonce_hash, write, created_by, created_at, expires_at)
VALUES (:client_id, :nonce_hash, :write, :created_by, :now, :expires_at)
RETURNING invite_id
