-- In: roles (JSON list of role, purpose and limits), rights (JSON list of role and right).
-- Out: how many rows of the copy changed. Roles that are gone take their rights along.
WITH given AS (
  SELECT * FROM jsonb_to_recordset(CAST(:roles AS jsonb)) AS r(
    role text, purpose text, statement_seconds integer, idle_seconds integer,
    connections integer, rows integer)
), given_right AS (
  SELECT * FROM jsonb_to_recordset(CAST(:rights AS jsonb)) AS r(role text, "right" text)
), kept AS (
  INSERT INTO sec.role AS t (role, purpose, statement_seconds, idle_seconds, connections, rows)
  SELECT role, purpose, statement_seconds, idle_seconds, connections, rows FROM given
  ON CONFLICT (role) DO UPDATE SET purpose = excluded.purpose,
    statement_seconds = excluded.statement_seconds, idle_seconds = excluded.idle_seconds,
    connections = excluded.connections, rows = excluded.rows
  WHERE (t.purpose, t.statement_seconds, t.idle_seconds, t.connections, t.rows)
    IS DISTINCT FROM (excluded.purpose, excluded.statement_seconds, excluded.idle_seconds,
      excluded.connections, excluded.rows)
  RETURNING 1
), gone AS (
  DELETE FROM sec.role t WHERE NOT EXISTS (SELECT 1 FROM given g WHERE g.role = t.role) RETURNING 1
), kept_right AS (
  INSERT INTO sec.role_right (role, "right") SELECT role, "right" FROM given_right
  ON CONFLICT DO NOTHING RETURNING 1
), gone_right AS (
  DELETE FROM sec.role_right t
  WHERE NOT EXISTS (SELECT 1 FROM given_right g WHERE g.role = t.role AND g."right" = t."right")
    AND EXISTS (SELECT 1 FROM given g WHERE g.role = t.role)
  RETURNING 1
)
SELECT (SELECT count(*) FROM kept) + (SELECT count(*) FROM gone)
     + (SELECT count(*) FROM kept_right) + (SELECT count(*) FROM gone_right)
