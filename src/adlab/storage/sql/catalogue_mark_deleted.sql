-- In: account_id, level, object_ids. Deleted objects stay vanished; all of them count as tried.
UPDATE app.object SET seen_at = now(),
  vanished_at = CASE WHEN effective_status = 'DELETED' THEN coalesce(vanished_at, now())
                     ELSE vanished_at END
WHERE account_id = :account_id AND level = :level AND object_id = ANY (:object_ids)
