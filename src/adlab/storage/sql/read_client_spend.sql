-- In: since, until. Out: spend per client and currency, each account and day at its best level.
WITH best AS (
  SELECT account_id, date, min(level) AS level FROM api.account_daily
  WHERE date BETWEEN :since AND :until GROUP BY account_id, date)
SELECT d.client_id, a.currency, sum(d.spend_micro)::float8 / 1000000 AS spend
FROM api.account_daily d
JOIN best b ON b.account_id = d.account_id AND b.date = d.date AND b.level = d.level
JOIN api.accounts a ON a.account_id = d.account_id
WHERE d.date BETWEEN :since AND :until
GROUP BY d.client_id, a.currency
