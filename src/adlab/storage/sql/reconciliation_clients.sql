-- In: slug or NULL, account_id or NULL. Out: clients with accounts that sync.
SELECT DISTINCT a.client_id FROM app.account a JOIN app.client c USING (client_id)
WHERE a.source = 'meta' AND (CAST(:slug AS text) IS NULL OR c.slug = :slug)
  AND (CAST(:account_id AS bigint) IS NULL OR a.account_id = :account_id)
