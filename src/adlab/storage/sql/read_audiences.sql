-- In: client_ids. Out: custom audiences that are listed now.
SELECT audience_id, account_id, name, subtype, description, size_lower, size_upper,
       delivery_status, operation_status, retention_days, created_at, updated_at, extra
FROM api.audiences WHERE client_id = ANY (:client_ids) AND vanished_at IS NULL
ORDER BY name, audience_id
