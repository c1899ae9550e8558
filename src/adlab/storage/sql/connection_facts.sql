-- In: connection_id, the sealed token that was asked about, what Meta told, status, warning. Out:
-- one row; none when the token was replaced meanwhile.
UPDATE sec.connection SET token_type = :token_type, scopes = :scopes, expires_at = :expires_at,
  data_expires_at = :data_expires_at, meta_user_id = coalesce(:meta_user_id, meta_user_id),
  status = :status, status_reason = :reason, warning = :warning, checked_at = :now
WHERE connection_id = :connection_id AND token_sealed = :token_sealed
