-- In: account_id, level. Out: first and last day that still have rows; NULLs when none has.
SELECT min(date) AS since, max(date) AS until FROM app.account_daily
WHERE account_id = :account_id AND level = :level
