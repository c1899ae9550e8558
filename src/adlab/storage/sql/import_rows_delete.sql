-- In: import_id, account_id, level. Out: how many rows went.
DELETE FROM app.insights_daily
WHERE account_id = :account_id AND level = :level AND import_id = :import_id
