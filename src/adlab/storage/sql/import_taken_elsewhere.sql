-- In: account_id, level. Staged rows that another live import of this account already holds.
-- Out: per such import its id, file and days.
SELECT f.import_id, f.file_name, count(*) AS rows, min(t.date) AS since, max(t.date) AS until
FROM (SELECT DISTINCT object_id, date FROM stage_import) AS s
JOIN app.insights_daily t ON (t.account_id, t.level, t.object_id, t.date)
                           = (:account_id, :level, s.object_id, s.date)
LEFT JOIN app.import_file f ON f.import_id = t.import_id
GROUP BY f.import_id, f.file_name ORDER BY f.import_id LIMIT 5
