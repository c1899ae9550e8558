-- In: client_id, account_id, before, imported_too. Out: per level the first and last day of what is too old.
SELECT level, min(date) AS since, max(date) AS until FROM app.insights_daily
WHERE account_id = :account_id AND client_id = :client_id AND date < :before
  AND (:imported_too OR import_id IS NULL)
GROUP BY level ORDER BY level
