-- In: attempt_id, the sealed token, what is known of it, until when accounts may be chosen.
UPDATE sec.connect_attempt SET token_sealed = :token_sealed, meta_user_id = :meta_user_id,
  facts = CAST(:facts AS jsonb), expires_at = :expires_at
WHERE attempt_id = :attempt_id
