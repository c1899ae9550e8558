-- In: account_id, creative_ids. Out: the ads that show them: creative_id, object_id.
SELECT o.creative_id, o.object_id FROM app.object o
WHERE o.account_id = :account_id AND o.level = 4 AND o.creative_id = ANY (:creative_ids)
  AND o.vanished_at IS NULL
ORDER BY o.creative_id, o.object_id
