-- In: request_id, now, what was deleted. The user's id goes with the rest.
UPDATE sec.deletion_request SET done_at = :now, meta_user_id = NULL,
  deleted = CAST(:deleted AS jsonb)
WHERE request_id = :request_id
