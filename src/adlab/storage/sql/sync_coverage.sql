-- In: account_id. Out: level, newest day covered.
SELECT level, until FROM app.sync_state
WHERE account_id = :account_id AND kind = 'insights' AND until IS NOT NULL
