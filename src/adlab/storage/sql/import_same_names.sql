-- In: client_id, account_id, level, since, until. Objects of an imported account whose name is
-- also that of an object synced from Meta with delivery in these days. Out: names, at most five.
SELECT DISTINCT o.name
FROM app.object o
JOIN app.object m ON m.client_id = o.client_id AND m.level = o.level AND m.name = o.name
JOIN app.account a ON a.account_id = m.account_id AND a.source = 'meta'
WHERE o.client_id = :client_id AND o.account_id = :account_id AND o.level = :level
  AND EXISTS (SELECT 1 FROM stage_import s WHERE s.object_id = o.object_id)
  AND EXISTS (SELECT 1 FROM app.insights_daily t
              WHERE t.account_id = m.account_id AND t.level = m.level
                AND t.object_id = m.object_id AND t.date BETWEEN :since AND :until)
ORDER BY o.name LIMIT 5
