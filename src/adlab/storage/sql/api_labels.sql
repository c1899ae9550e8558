-- In: client_ids, level, object_ids. Out: what to call these objects.
SELECT o.object_id, o.account_id, o.name FROM api.objects o
WHERE o.client_id = ANY (:client_ids) AND o.level = :level AND o.object_id = ANY (:object_ids)
