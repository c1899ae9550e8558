-- In: account_id, level. Out: objects that no listing shows and that are not known as deleted, the
-- least recently tried first; at most 500, so that a refresh stays bounded.
SELECT object_id FROM app.object
WHERE account_id = :account_id AND level = :level AND object_id > 0
  AND (vanished_at IS NOT NULL OR status IS NULL)
  AND coalesce(effective_status, '') <> 'DELETED'
ORDER BY seen_at, object_id LIMIT 500
