-- In: client_ids, level, object_ids. Out: versions of objects, oldest first.
SELECT object_id, valid_from, valid_to, state FROM api.object_history
WHERE client_id = ANY (:client_ids) AND level = :level AND object_id = ANY (:object_ids)
ORDER BY object_id, valid_from
