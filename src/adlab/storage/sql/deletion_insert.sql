-- In: a request to delete. Out: its code; no row when the same user's is open already.
INSERT INTO sec.deletion_request (code, user_hash, meta_user_id, requested_at)
VALUES (:code, :user_hash, :meta_user_id, :now)
ON CONFLICT (user_hash) WHERE done_at IS NULL DO NOTHING
RETURNING code
