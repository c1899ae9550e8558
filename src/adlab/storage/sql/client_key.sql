-- In: client_id. Out: name of the file with the client's key, and how to recognise it (NULL until it
-- is made); nothing when there is no such client.
SELECT key_name::text AS key_name, fingerprint FROM sec.client_key WHERE client_id = :client_id
