-- In: client_ids. Out: health of the connections to Meta.
SELECT client_id, connection_id, status, status_reason, expires_at, checked_at, warning
FROM api.connections WHERE client_id = ANY (:client_ids)
