-- read_standings
-- Out: each active client this login may see, and how it stands with Meta: accounts, the oldest
-- look at one of them, failures, connections, newest day. An account made for imports counts only
-- while one of them is live.
WITH live AS (
  SELECT a.client_id, a.account_id, a.currency, a.timezone, a.source FROM api.accounts a
  WHERE a.source <> 'import' OR EXISTS (SELECT 1 FROM api.imports f
    WHERE f.account_id = a.account_id AND f.undone_at IS NULL)),
account AS (
  SELECT client_id, count(*) AS accounts, count(*) FILTER (WHERE source = 'meta') AS meta,
         array_agg(DISTINCT currency ORDER BY currency) AS currencies,
         array_agg(DISTINCT timezone ORDER BY timezone) AS timezones
  FROM live GROUP BY client_id),
look AS (
  SELECT l.client_id, l.account_id,
         bool_or(s.status = 'failed' AND s.kind IN ('objects', 'insights')) AS failed,
         max(s.checked_at) FILTER (WHERE s.kind = 'insights' AND s.since IS NOT NULL) AS checked_at
  FROM live l LEFT JOIN api.sync_state s ON s.account_id = l.account_id
  WHERE l.source = 'meta' GROUP BY l.client_id, l.account_id),
looks AS (
  SELECT client_id, min(checked_at) AS checked_at, count(*) FILTER (WHERE failed) AS failed,
         count(*) FILTER (WHERE checked_at IS NULL) AS unread
  FROM look GROUP BY client_id),
change AS (
  SELECT client_id, max(changed_at) AS changed_at FROM api.sync_state GROUP BY client_id),
link AS (
  SELECT client_id, count(*) AS connections, min(status) FILTER (WHERE status <> 'ok') AS trouble,
         min(warning) AS warning
  FROM api.connections GROUP BY client_id)
SELECT c.client_id, c.slug, c.name, c.currency, c.timezone, c.brand,
       coalesce(a.accounts, 0) AS accounts, coalesce(a.meta, 0) AS meta,
       a.currencies, a.timezones, k.checked_at, coalesce(k.failed, 0) AS failed,
       coalesce(k.unread, 0) AS unread, h.changed_at,
       coalesce(n.connections, 0) AS connections, n.trouble, n.warning,
       (SELECT max(d.date) FROM api.account_daily d WHERE d.client_id = c.client_id) AS last_day
FROM api.clients c
LEFT JOIN account a USING (client_id)
LEFT JOIN looks k USING (client_id)
LEFT JOIN change h USING (client_id)
LEFT JOIN link n USING (client_id)
WHERE c.status = 'active'
ORDER BY c.name
