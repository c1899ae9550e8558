-- In: account_id. Out: the access tier Meta named last for the account, or no row.
SELECT tier FROM app.quota_meter WHERE account_id = :account_id AND tier IS NOT NULL
ORDER BY as_of DESC LIMIT 1
