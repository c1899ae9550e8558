-- In: client_ids. Out: what Meta advises now.
SELECT signature, account_id, type, title, message, importance, object_ids, first_seen_at, extra
FROM api.recommendations WHERE client_id = ANY (:client_ids) AND vanished_at IS NULL
ORDER BY first_seen_at DESC, signature
