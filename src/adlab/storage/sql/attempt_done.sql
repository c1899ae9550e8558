-- In: attempt_id, now. Out: the id, once: a choice is carried out by its first sender. The token
-- is the connection's now, or nobody's.
UPDATE sec.connect_attempt SET done_at = :now, token_sealed = NULL, facts = NULL,
  meta_user_id = NULL
WHERE attempt_id = :attempt_id AND done_at IS NULL AND expires_at > :now
RETURNING attempt_id
