-- In: account_ids, level, by_id. Out: those of the accounts that have an object of the file.
SELECT DISTINCT o.account_id FROM app.object o
WHERE o.account_id = ANY (:account_ids) AND o.level = :level
  AND CASE WHEN :by_id THEN o.object_id::text IN (SELECT key FROM stage_match)
           ELSE o.name IN (SELECT name FROM stage_match) END
ORDER BY o.account_id
