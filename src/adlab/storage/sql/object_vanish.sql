-- In: account_id, level. Marks objects that this complete listing (staged) no longer shows.
UPDATE app.object o SET vanished_at = now()
WHERE o.account_id = :account_id AND o.level = :level AND o.vanished_at IS NULL
  AND o.status IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM stage_object s WHERE s.level = o.level AND s.object_id = o.object_id)
