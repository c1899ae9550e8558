-- Out: every off-boarding, the newest first.
SELECT client_id, slug, name, step, actor, folder, begun_at, done_at, accounts,
       key_name::text AS key_name, key_fingerprint, manifest_sha256, exported, revoked, purged,
       certificate
FROM app.offboarding ORDER BY offboarding_id DESC
