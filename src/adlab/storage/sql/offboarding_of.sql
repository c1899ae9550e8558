-- In: slug. Out: the off-boarding of the client that has or had it.
SELECT client_id, slug, name, step, actor, folder, begun_at, done_at, accounts,
       key_name::text AS key_name, key_fingerprint, manifest_sha256, exported, revoked, purged,
       certificate
FROM app.offboarding WHERE slug = :slug
