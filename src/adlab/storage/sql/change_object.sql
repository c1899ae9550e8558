-- In: account_id, object_id. Out: level and name of a campaign, ad set or ad of that account.
SELECT level, name FROM app.object
WHERE account_id = :account_id AND object_id = :object_id AND level BETWEEN 2 AND 4
