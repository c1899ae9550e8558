"""Results of the isolation suite, for those who operate or audit."""

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
"""


def upgrade() -> None:
    """Create the table and who reads it."""
    op.execute(DDL)
