-- In: client_ids, level, day. Out: the newest rows of that day.
SELECT * FROM api.insights_daily
WHERE client_id = ANY (:client_ids) AND level = :level AND date = :day
ORDER BY account_id, object_id
