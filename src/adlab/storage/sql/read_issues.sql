-- In: client_ids. Out: what Meta says is wrong with objects, as last read.
SELECT level, object_id, account_id, name, source, code, summary, message, seen_at
FROM api.issues WHERE client_id = ANY (:client_ids)
ORDER BY level, name, object_id, source, code
