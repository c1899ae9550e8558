-- In: slug, folder, actor, now. Notes that a client leaves, with its accounts and its key.
INSERT INTO app.offboarding (client_id, slug, name, actor, folder, begun_at, accounts, key_name,
  key_fingerprint)
SELECT c.client_id, c.slug, c.name, :actor, :folder, :now,
  ARRAY(SELECT a.account_id FROM app.account a WHERE a.client_id = c.client_id ORDER BY 1),
  k.key_name, k.fingerprint
FROM app.client c JOIN sec.client_key k USING (client_id) WHERE c.slug = :slug
