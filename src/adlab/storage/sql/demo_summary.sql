-- Out: per synced account: client, account, currency, rows, days and spend (at account level).
SELECT c.name AS client, 'act_' || a.account_id AS account, a.currency, a.timezone,
       coalesce(sum(d.objects), 0)::bigint AS rows,
       count(DISTINCT d.date) AS days,
       coalesce(sum(d.spend_micro) FILTER (WHERE d.level = 1), 0) / 1000000.0 AS spend
FROM app.account a
JOIN app.client c USING (client_id)
LEFT JOIN app.account_daily d ON d.account_id = a.account_id
WHERE a.source = 'meta'
GROUP BY c.name, a.account_id, a.currency, a.timezone
ORDER BY c.name
