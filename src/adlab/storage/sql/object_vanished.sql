-- In: account_id, level. Out: ids a complete listing once showed and the newest did not.
SELECT object_id FROM app.object
WHERE account_id = :account_id AND level = :level AND vanished_at IS NOT NULL
