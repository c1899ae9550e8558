-- In: grace (seconds). Out: sessions of notebooks beyond their role's limit, which this ends.
-- Who is late is settled before anybody is ended: conditions of one WHERE run in any order.
WITH seen AS MATERIALIZED (
  SELECT a.pid, l.login, p.name AS person,
    a.state LIKE 'idle in transaction%' AS idle,
    extract(epoch FROM clock_timestamp() - CASE WHEN a.state = 'active' THEN a.query_start
                                                ELSE a.state_change END)::integer AS seconds,
    CASE WHEN a.state = 'active' THEN r.statement_seconds ELSE r.idle_seconds END AS "limit"
  FROM pg_stat_activity a
  JOIN sec.login l ON l.login = a.usename AND l.kind = 'notebook'
  JOIN sec.person p USING (person_id)
  JOIN sec.role r ON r.role = p.role
  WHERE a.datname = current_database() AND (a.state = 'active' OR a.state LIKE 'idle in trans%')
), late AS MATERIALIZED (
  SELECT * FROM seen WHERE seconds > "limit" + :grace
)
SELECT login, person, seconds, "limit", idle FROM late WHERE pg_terminate_backend(pid, 1000)
