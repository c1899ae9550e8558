-- In: account_id, now, before. Marks the account as thinned now, when that was last done before
-- `before`. Out: when it was last done (long ago when never), or no row when it is not due.
WITH old AS (SELECT thinned_at FROM app.version_thinning WHERE account_id = :account_id)
INSERT INTO app.version_thinning AS t (account_id, thinned_at) VALUES (:account_id, :now)
ON CONFLICT (account_id) DO UPDATE SET thinned_at = excluded.thinned_at
WHERE t.thinned_at <= :before
RETURNING coalesce((SELECT thinned_at FROM old), TIMESTAMPTZ '2000-01-01')
