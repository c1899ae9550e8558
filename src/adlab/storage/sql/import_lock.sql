-- In: client_id. One import or undo of a client at a time, until the transaction ends.
SELECT pg_advisory_xact_lock(7100, :client_id)
