-- In: hash. Out: whose password the link may set, while it is unused and lasts.
SELECT p.person_id, p.name, p.username, p.role
FROM sec.login_link k JOIN sec.person p USING (person_id)
WHERE k.nonce_hash = :hash AND k.purpose = 'password' AND k.used_at IS NULL
  AND k.expires_at > now() AND p.disabled_at IS NULL
