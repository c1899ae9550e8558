-- In: account_id, level. Out: objects with delivery in the last 90 days, to foresee sizes.
SELECT count(DISTINCT object_id) AS objects FROM app.insights_daily
WHERE account_id = :account_id AND level = :level AND date > :since
