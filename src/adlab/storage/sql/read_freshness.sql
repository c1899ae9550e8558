-- In: client_ids. Out: per connected account what says how fresh it is: when each part was read,
-- newest day with spend, what failed, what is loading, how much of the quota is used.
WITH read AS (
  SELECT account_id, client_id,
    max(checked_at) FILTER (WHERE kind = 'insights') AS read_at,
    max(changed_at) FILTER (WHERE kind = 'insights') AS changed_at,
    max(checked_at) FILTER (WHERE kind = 'objects') AS objects_at,
    min(checked_at) FILTER (WHERE kind LIKE 'breakdown:%' AND status <> 'not_served')
      AS breakdowns_at,
    min(checked_at) FILTER (WHERE kind LIKE 'catalogue:%' AND status <> 'not_served')
      AS catalogue_at,
    min(since) FILTER (WHERE kind = 'insights') AS since,
    max(until) FILTER (WHERE kind = 'insights') AS newest_day,
    string_agg(DISTINCT error, '; ') FILTER (WHERE status NOT IN ('ok', 'not_served')) AS error,
    string_agg(DISTINCT split_part(kind, ':', 2), ', ') FILTER (WHERE status = 'not_served')
      AS not_served
  FROM api.sync_state WHERE client_id = ANY (:client_ids) GROUP BY account_id, client_id),
spent AS (
  SELECT account_id, max(date) AS spent_on FROM api.account_daily
  WHERE client_id = ANY (:client_ids) AND spend_micro > 0 GROUP BY account_id),
active AS (
  SELECT DISTINCT account_id FROM api.objects WHERE client_id = ANY (:client_ids) AND level = 2
    AND effective_status = 'ACTIVE' AND vanished_at IS NULL),
failed AS (
  SELECT DISTINCT ON (account_id) account_id, kind || ': ' || coalesce(error, 'failed') AS problem
  FROM (SELECT DISTINCT ON (account_id, kind) account_id, kind, state, error, finished_at
        FROM api.jobs WHERE client_id = ANY (:client_ids) AND account_id IS NOT NULL
          AND state IN ('done', 'failed')
        ORDER BY account_id, kind, finished_at DESC) newest
  WHERE state = 'failed' ORDER BY account_id, finished_at DESC),
meters AS (
  SELECT account_id, max(percent) AS quota_percent FROM api.quota
  WHERE client_id = ANY (:client_ids) GROUP BY account_id),
standing AS (
  SELECT DISTINCT ON (client_id) client_id, status, status_reason FROM api.connections
  WHERE client_id = ANY (:client_ids) ORDER BY client_id, (status = 'ok'), connection_id DESC)
SELECT a.account_id, a.client_id, a.name, a.timezone, r.read_at, r.changed_at, r.objects_at,
  r.breakdowns_at, r.catalogue_at, r.since, r.newest_day, r.error, r.not_served, s.spent_on,
  (v.account_id IS NOT NULL) AS active, f.problem, m.quota_percent, c.status AS connection,
  c.status_reason, b.since AS load_since, b.until AS load_until, b.reached AS load_reached,
  b.finished_at AS load_finished_at
FROM api.accounts a
LEFT JOIN read r USING (account_id)
LEFT JOIN spent s USING (account_id)
LEFT JOIN active v USING (account_id)
LEFT JOIN failed f USING (account_id)
LEFT JOIN meters m USING (account_id)
LEFT JOIN standing c ON c.client_id = a.client_id
LEFT JOIN api.backfills b ON b.account_id = a.account_id
WHERE a.client_id = ANY (:client_ids) AND a.source = 'meta'
ORDER BY a.client_id, a.account_id
