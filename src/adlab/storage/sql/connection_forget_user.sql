-- In: meta_user_id, reason. Out: connections that held something of that user at Meta, and whether a
-- token was among it; nothing of it is left.
WITH mine AS (
  SELECT connection_id, client_id, token_sealed IS NOT NULL AS had_token
  FROM sec.connection WHERE meta_user_id = :meta_user_id FOR UPDATE)
UPDATE sec.connection n SET token_sealed = NULL, status = 'revoked', status_reason = :reason,
  warning = NULL, checked_at = now(), meta_user_id = NULL, meta_user_name = NULL, scopes = '{}'
FROM mine WHERE n.connection_id = mine.connection_id
RETURNING mine.connection_id, mine.client_id, mine.had_token
