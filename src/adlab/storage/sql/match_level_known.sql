-- In: account_ids, level, since, until. Out: how many rows the store has there.
SELECT count(*) FROM app.insights_daily
WHERE account_id = ANY (:account_ids) AND level = :level AND date BETWEEN :since AND :until
