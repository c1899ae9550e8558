-- In: connection_id, status, reason.
UPDATE sec.connection SET status = :status, status_reason = :reason, checked_at = now()
WHERE connection_id = :connection_id
