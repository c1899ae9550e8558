-- In: ids, lease, state (sent or failed), error, trace_id, now. Settles events and erases them.
UPDATE app.conversion_event SET state = :state, payload = NULL, payload_sealed = NULL, error = :error,
  trace_id = :trace_id, lease = NULL, lease_until = NULL, settled_at = :now
WHERE conversion_id = ANY (:ids) AND lease = CAST(:lease AS uuid) AND state = 'queued'
