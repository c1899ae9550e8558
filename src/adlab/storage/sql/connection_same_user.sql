-- In: meta_user_id, app_id, connection_id. Out: other connections that live by the same user's
-- consent to the same app, which a revocation would end.
SELECT n.connection_id, c.slug FROM sec.connection n JOIN app.client c USING (client_id)
WHERE n.meta_user_id = :meta_user_id AND n.app_id IS NOT DISTINCT FROM :app_id
  AND n.connection_id <> :connection_id AND n.token_sealed IS NOT NULL
ORDER BY n.connection_id
