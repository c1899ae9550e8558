-- In: client_id. Out: months with delivery, as 2026-10, oldest first.
SELECT DISTINCT to_char(date, 'YYYY-MM') AS month FROM api.account_daily
WHERE client_id = :client_id AND (impressions > 0 OR spend_micro <> 0)
ORDER BY month
