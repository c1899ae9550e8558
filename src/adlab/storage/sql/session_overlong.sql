-- In: grace, patience (seconds). Out: sessions of notebooks beyond their role's limit, or that kept
-- others waiting for what they wrote for longer than patience, which this ends.
-- Who is late is settled before anybody is ended: conditions of one WHERE run in any order.
WITH holding AS MATERIALIZED (
  SELECT DISTINCT unnest(pg_blocking_pids(w.pid)) AS pid FROM pg_locks w
  WHERE NOT w.granted AND w.locktype = 'transactionid'
    AND w.waitstart < clock_timestamp() - make_interval(secs => :patience)
), seen AS MATERIALIZED (
  SELECT a.pid, l.login, p.name AS person, h.pid IS NOT NULL AS holds,
    a.state LIKE 'idle in transaction%' AS idle,
    extract(epoch FROM clock_timestamp() - CASE WHEN h.pid IS NOT NULL THEN a.xact_start
                                                WHEN a.state = 'active' THEN a.query_start
                                                ELSE a.state_change END)::integer AS seconds,
    CASE WHEN h.pid IS NOT NULL THEN :patience
         WHEN a.state = 'active' THEN r.statement_seconds ELSE r.idle_seconds END AS "limit"
  FROM pg_stat_activity a
  JOIN sec.login l ON l.login = a.usename AND l.kind = 'notebook'
  JOIN sec.person p USING (person_id)
  JOIN sec.role r ON r.role = p.role
  LEFT JOIN holding h ON h.pid = a.pid
  WHERE a.datname = current_database() AND (a.state = 'active' OR a.state LIKE 'idle in trans%')
), late AS MATERIALIZED (
  SELECT * FROM seen WHERE holds OR seconds > "limit" + :grace
)
SELECT login, person, seconds, "limit", idle FROM late WHERE pg_terminate_backend(pid, 1000)
