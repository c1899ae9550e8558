-- In: client_ids, level, since, until. Out: rows of insights a day, oldest day first.
SELECT d.date, sum(d.objects) AS rows FROM api.account_daily d
WHERE d.client_id = ANY (:client_ids) AND d.level = :level AND d.date BETWEEN :since AND :until
GROUP BY d.date ORDER BY d.date
