-- In: meta_user_id, reason. Out: connections whose token was deleted because that user at Meta took
-- their consent back.
UPDATE sec.connection SET token_sealed = NULL, status = 'revoked', status_reason = :reason,
  warning = NULL, checked_at = now()
WHERE meta_user_id = :meta_user_id
  AND (token_sealed IS NOT NULL OR status <> 'revoked')
RETURNING connection_id, client_id
