-- In: account_id (null: all). Out: back-fills with their account.
SELECT b.account_id, b.client_id, c.slug, a.timezone, b.since, b.until, b.levels, b.reached, b.calls,
  b.rows, b.seconds, b.requested_at, b.finished_at
FROM app.backfill b JOIN app.account a USING (account_id) JOIN app.client c ON c.client_id = b.client_id
WHERE CAST(:account_id AS bigint) IS NULL OR b.account_id = :account_id ORDER BY b.account_id
