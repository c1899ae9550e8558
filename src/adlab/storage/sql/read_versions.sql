-- In: client_ids, level, day. Out: older versions of the rows of that day, oldest first.
SELECT * FROM api.insights_versions
WHERE client_id = ANY (:client_ids) AND level = :level AND date = :day
ORDER BY account_id, object_id, replaced_at, seen_at
