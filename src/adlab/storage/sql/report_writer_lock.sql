-- In: client_id. Out: nothing; waits until no other report of this client makes its writer.
SELECT pg_advisory_xact_lock(hashtext('adlab report writer'), :client_id)
