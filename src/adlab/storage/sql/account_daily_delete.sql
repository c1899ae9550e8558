-- In: account_id, level, since, until.
DELETE FROM app.account_daily
WHERE account_id = :account_id AND level = :level AND date BETWEEN :since AND :until
