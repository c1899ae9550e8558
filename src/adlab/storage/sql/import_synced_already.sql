-- Staged rows of objects that belong to an account synced from Meta, on days synced there: the
-- account's totals hold them already. Out: per such account its client and days.
WITH owner AS (
  SELECT DISTINCT o.object_id, o.account_id
  FROM (SELECT DISTINCT x.id FROM stage_import s
        CROSS JOIN LATERAL unnest(ARRAY[s.object_id, s.campaign_id, s.ad_set_id]) AS x (id)
        WHERE x.id > 0) AS named
  JOIN app.object o ON o.object_id = named.id
), pair AS (
  SELECT DISTINCT s.date, w.account_id FROM stage_import s
  CROSS JOIN LATERAL unnest(ARRAY[s.object_id, s.campaign_id, s.ad_set_id]) AS x (id)
  JOIN owner w ON w.object_id = x.id
  UNION
  SELECT DISTINCT s.date, s.source_account FROM stage_import s WHERE s.source_account IS NOT NULL
)
SELECT a.account_id, c.slug AS client, min(p.date) AS since, max(p.date) AS until, count(*) AS days
FROM pair p
JOIN app.account a ON a.account_id = p.account_id AND a.source = 'meta'
JOIN app.client c ON c.client_id = a.client_id
WHERE EXISTS (SELECT 1 FROM app.account_daily d
              WHERE d.client_id = a.client_id AND d.account_id = p.account_id AND d.date = p.date)
GROUP BY a.account_id, c.slug ORDER BY a.account_id LIMIT 5
