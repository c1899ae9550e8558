-- In: client_ids. Out: studies with their cells, newest first.
SELECT study_id, account_id, name, type, description, start_at, end_at, canceled_at, cells, extra
FROM api.studies WHERE client_id = ANY (:client_ids) AND vanished_at IS NULL
ORDER BY start_at DESC NULLS LAST, study_id
