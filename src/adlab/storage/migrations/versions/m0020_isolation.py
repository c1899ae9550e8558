"""Results of the isolation suite, for those who operate or audit; names kept out of statistics.

Reason: the planner's estimates follow from the values it has collected, EXPLAIN shows estimates to
everybody, and comparisons of text reach the table behind a barrier before its filter. So from
estimates of `name < 'm'`, `name < 'g'`, … a stranger could spell other clients' names. What is not
collected cannot be asked for. Estimates of sizes, days and numbers stay; PostgreSQL has no way to
hide them.
"""

from alembic import op

revision = "0020"
down_revision = "0019"

DDL = """
-- One row a check: engine and version of the store, attacks times roles tried, and what leaked.
-- details: each leak with the attack's name, the role and what was seen (never the rows).
CREATE TABLE app.isolation_run (
  run_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  engine      text NOT NULL,
  version     text NOT NULL,
  attacks     integer NOT NULL,
  roles       integer NOT NULL,
  tried       integer NOT NULL,
  leaks       integer NOT NULL,
  details     jsonb NOT NULL DEFAULT '[]'
);

CREATE VIEW api.isolation_runs WITH (security_barrier) AS
  SELECT t.run_id, t.started_at, t.finished_at, t.engine, t.version, t.attacks, t.roles, t.tried,
         t.leaks, t.details
  FROM app.isolation_run t
  WHERE EXISTS (
    SELECT 1 FROM sec.login l JOIN sec.person p USING (person_id)
    JOIN sec.role_right r ON r.role = p.role
    WHERE l.login = current_user AND l.client_id IS NULL AND p.disabled_at IS NULL
      AND (l.expires_at IS NULL OR l.expires_at > now()) AND r."right" IN ('operate', 'see_audit'));
GRANT SELECT ON api.isolation_runs TO adlab_reader;
-- Reason: it has no client; yet with every view a barrier none can be forgotten.
ALTER VIEW api.epochs SET (security_barrier);
"""

# Free text: what people or Meta wrote. Codes, states and currencies keep their statistics.
FREE_TEXT = (
    "actor", "actor_name", "body", "description", "detail", "error", "event_name", "file_name",
    "granted_by", "label", "message", "meta_user_id", "meta_user_name", "name", "note",
    "object_name", "reason", "set_by", "slug", "status_reason", "test_event_code", "title",
    "url_tags", "username", "warning", "connected_by", "created_by", "proposed_by", "requested_by",
    "imported_by", "revoked_by", "folder", "hash", "host", "redirect_uri", "thumbnail_url",
)  # fmt: skip

WITHOUT_STATISTICS = """
DO $do$
DECLARE one record;
BEGIN
  FOR one IN SELECT n.nspname, c.relname, c.oid::regclass AS relation, a.attname
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relnamespace IN ('app'::regnamespace, 'sec'::regnamespace) AND c.relkind IN ('r', 'p')
      AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
      AND a.attname = ANY (string_to_array('{names}', ' '))
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', one.relation, one.attname);
    -- Reason: what was collected before stays; PostgreSQL can drop it from version 18 on.
    IF to_regproc('pg_catalog.pg_clear_attribute_stats') IS NOT NULL THEN
      EXECUTE 'SELECT pg_catalog.pg_clear_attribute_stats($1, $2, $3, false)'
        USING one.nspname, one.relname, one.attname;
    END IF;
  END LOOP;
END $do$;
"""


def upgrade() -> None:
    """Create the table and who reads it; stop collecting names."""
    op.execute(DDL)
    op.execute(WITHOUT_STATISTICS.format(names=" ".join(FREE_TEXT)))
