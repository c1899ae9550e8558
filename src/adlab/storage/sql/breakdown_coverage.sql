-- In: account_id. Out: kind, level and newest day covered of each breakdown.
SELECT kind, level, until FROM app.sync_state
WHERE account_id = :account_id AND kind LIKE 'breakdown:%' AND until IS NOT NULL
