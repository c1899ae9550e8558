-- In: client_id, fingerprint. Keeps how to recognise the key that was made; the first word stands.
UPDATE sec.client_key SET fingerprint = :fingerprint, made_at = now()
WHERE client_id = :client_id AND fingerprint IS NULL
