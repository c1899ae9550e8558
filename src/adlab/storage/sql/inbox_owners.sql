-- In: object_ids. Out: in which accounts they are known: object_id, account_id.
SELECT DISTINCT o.object_id, o.account_id FROM app.object o WHERE o.object_id = ANY (:object_ids)
