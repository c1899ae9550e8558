-- Out: clients this login may see, their currencies, timezones and sync state. An account made for
-- imports counts only while one of them is live.
WITH live_accounts AS (
  SELECT a.client_id, a.account_id, a.currency, a.timezone FROM api.accounts a WHERE (a.source <> 'import' OR EXISTS (SELECT 1 FROM api.imports f
           WHERE f.account_id = a.account_id AND f.undone_at IS NULL)))
SELECT c.client_id, c.slug, c.name, c.currency, c.timezone, c.status, c.brand,
       (SELECT count(*) FROM live_accounts a WHERE a.client_id = c.client_id) AS accounts,
       (SELECT array_agg(DISTINCT a.currency ORDER BY a.currency) FROM live_accounts a
         WHERE a.client_id = c.client_id) AS currencies,
       (SELECT array_agg(DISTINCT a.timezone ORDER BY a.timezone) FROM live_accounts a
         WHERE a.client_id = c.client_id) AS timezones,
       (SELECT max(s.checked_at) FROM api.sync_state s WHERE s.client_id = c.client_id
         AND s.kind IN ('objects', 'insights')) AS checked_at,
       (SELECT max(s.changed_at) FROM api.sync_state s WHERE s.client_id = c.client_id) AS changed_at,
       (SELECT coalesce(min(n.status) FILTER (WHERE n.status <> 'ok'),
                        CASE WHEN count(n.warning) > 0 THEN 'expiring' END)
         FROM api.connections n WHERE n.client_id = c.client_id) AS connection_trouble,
       (SELECT count(*) FROM api.connections n WHERE n.client_id = c.client_id) AS connections
FROM api.clients c
ORDER BY c.name
