-- In: client_ids. Out: live imports whose rows a sync has brought as well: they count twice.
SELECT f.import_id, f.file_name, count(DISTINCT i.date) AS days
FROM app.import_file f
JOIN app.insights_daily i ON i.import_id = f.import_id AND i.account_id = f.account_id
JOIN app.account a ON a.client_id = f.client_id AND a.source = 'meta'
JOIN app.insights_daily m ON (m.account_id, m.level, m.object_id, m.date)
                           = (a.account_id, i.level, i.object_id, i.date)
WHERE f.client_id = ANY (:client_ids) AND f.undone_at IS NULL AND i.object_id > 0
GROUP BY f.import_id, f.file_name
ORDER BY f.import_id
