-- Staged rows that another live import of this account already holds. Out: at most five.
SELECT s.date, s.object_id, t.import_id, f.file_name
FROM stage_insights s
JOIN app.insights_daily t ON (t.account_id, t.level, t.object_id, t.date)
                           = (s.account_id, s.level, s.object_id, s.date)
JOIN app.import_file f ON f.import_id = t.import_id
ORDER BY s.date LIMIT 5
