-- Takes what notebook logins ran since the last time: person, login, client_id (of a login for one
-- client), query, calls, rows. Needs pg_stat_statements, found through the caller's search_path.
WITH now_there AS (
  SELECT l.login, l.person_id, l.client_id, s.queryid AS query_id, min(s.query) AS query,
         sum(s.calls)::bigint AS calls, sum(s.rows)::bigint AS rows,
         max(s.stats_since) AS stats_since
  FROM pg_stat_statements s
  JOIN pg_roles r ON r.oid = s.userid
  JOIN sec.login l ON l.login = r.rolname AND l.kind = 'notebook'
  WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.toplevel
    AND s.queryid IS NOT NULL
  GROUP BY l.login, l.person_id, l.client_id, s.queryid
), fresh AS (
  SELECT n.*, CASE WHEN q.stats_since = n.stats_since THEN q.calls ELSE 0 END AS calls_before,
         CASE WHEN q.stats_since = n.stats_since THEN q.rows ELSE 0 END AS rows_before
  FROM now_there n LEFT JOIN sec.query_seen q USING (login, query_id)
  WHERE (q.calls, q.stats_since) IS DISTINCT FROM (n.calls, n.stats_since)
), kept AS (
  INSERT INTO sec.query_seen AS q (login, query_id, calls, rows, stats_since)
  SELECT login, query_id, calls, rows, stats_since FROM fresh
  ON CONFLICT (login, query_id) DO UPDATE
    SET calls = EXCLUDED.calls, rows = EXCLUDED.rows, stats_since = EXCLUDED.stats_since
)
SELECT p.name AS person, f.login, f.client_id, f.query, f.calls - f.calls_before AS calls,
       f.rows - f.rows_before AS rows
FROM fresh f JOIN sec.person p USING (person_id)
ORDER BY f.login, calls DESC
