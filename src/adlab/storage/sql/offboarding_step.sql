-- In: slug, step, and what it found: manifest_sha256, exported, revoked, purged, certificate,
-- key_fingerprint, done_at (NULL leaves what is there). Accounts that came since are taken in.
UPDATE app.offboarding o SET step = :step,
  manifest_sha256 = coalesce(:manifest_sha256, o.manifest_sha256),
  key_fingerprint = coalesce(:key_fingerprint, o.key_fingerprint),
  exported = coalesce(CAST(:exported AS jsonb), o.exported),
  revoked = coalesce(CAST(:revoked AS jsonb), o.revoked),
  purged = coalesce(CAST(:purged AS jsonb), o.purged),
  certificate = coalesce(CAST(:certificate AS jsonb), o.certificate),
  done_at = coalesce(CAST(:done_at AS timestamptz), o.done_at),
  accounts = ARRAY(SELECT unnest(o.accounts)
    UNION SELECT a.account_id FROM app.account a WHERE a.client_id = o.client_id ORDER BY 1)
WHERE o.slug = :slug
