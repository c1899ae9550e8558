-- In: connection_id, account_id or NULL for all. Out: accounts that no longer use the connection;
-- they and their data stay.
UPDATE app.account SET connection_id = NULL
WHERE connection_id = :connection_id
  AND (CAST(:account_id AS bigint) IS NULL OR account_id = :account_id)
RETURNING account_id
