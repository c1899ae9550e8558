-- In: hash. Out: the person, once.
UPDATE sec.login_link SET used_at = now()
WHERE nonce_hash = :hash AND purpose = 'password' AND used_at IS NULL AND expires_at > now()
RETURNING person_id
