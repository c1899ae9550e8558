-- In: account_id, level. Out: known ids of that level.
SELECT object_id FROM app.object WHERE account_id = :account_id AND level = :level
