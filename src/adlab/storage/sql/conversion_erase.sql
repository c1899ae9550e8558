-- In: ids, now, error. Erases events that wait; those a sender has in hand are left to it. Out: their
-- numbers.
UPDATE app.conversion_event SET state = 'failed', payload = NULL, payload_sealed = NULL,
  error = :error, settled_at = :now, lease = NULL, lease_until = NULL
WHERE conversion_id = ANY (:ids) AND state = 'queued'
  AND (lease_until IS NULL OR lease_until <= :now)
RETURNING conversion_id
