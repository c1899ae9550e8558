-- In: account_id, object_ids. Out: those of them that are known in another account.
SELECT DISTINCT o.object_id FROM app.object o
WHERE o.object_id = ANY (:object_ids) AND o.account_id <> :account_id
