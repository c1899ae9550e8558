-- In: account_id, level, since, until. Out: one row when the slice holds any row yet.
SELECT 1 FROM app.insights_daily
WHERE account_id = :account_id AND level = :level AND date BETWEEN :since AND :until LIMIT 1
