"""Grants and logins end at their moment, inside an open transaction as well.

Reason: `now()` is the moment a transaction began, so whoever kept one open went on reading after
their grant had ended. `statement_timestamp()` moves with each statement and is as cheap. And a
login narrowed to one client reads that client's part of the audit log, whoever it belongs to.
"""

from alembic import op

revision = "0022"
down_revision = "0021"

VIEWS = """
CREATE OR REPLACE VIEW sec.standing AS
  SELECT l.login, l.person_id, a.client_id, a.role, a.sees_data, a.expires_at, a.implied,
         a.break_glass
  FROM sec.access a
  JOIN sec.login l USING (person_id)
  JOIN sec.person p USING (person_id)
  WHERE p.disabled_at IS NULL
    AND (l.client_id IS NULL OR l.client_id = a.client_id)
    AND (l.expires_at IS NULL OR l.expires_at > statement_timestamp())
    AND (a.expires_at IS NULL OR a.expires_at > statement_timestamp());

CREATE OR REPLACE VIEW sec.my_rights AS
  SELECT r."right"
  FROM sec.login l JOIN sec.person p USING (person_id) JOIN sec.role_right r ON r.role = p.role
  WHERE l.login = current_user AND l.client_id IS NULL AND p.disabled_at IS NULL
    AND (l.expires_at IS NULL OR l.expires_at > statement_timestamp());

-- Who may audit reads all of it; everyone else, and every login for one client, what concerns the
-- clients they see.
CREATE OR REPLACE VIEW api.audit WITH (security_barrier) AS
  SELECT t.audit_id, t.at, t.actor, t.action, t.client_id, t.details FROM sec.audit t
  WHERE EXISTS (SELECT 1 FROM sec.my_rights m WHERE m."right" = 'see_audit')
    OR t.client_id IN (SELECT v.client_id FROM sec.visible v)
    OR t.clients && ARRAY(SELECT v.client_id FROM sec.visible v);

CREATE OR REPLACE VIEW api.isolation_runs WITH (security_barrier) AS
  SELECT t.run_id, t.started_at, t.finished_at, t.engine, t.version, t.attacks, t.roles, t.tried,
         t.leaks, t.details
  FROM app.isolation_run t
  WHERE EXISTS (SELECT 1 FROM sec.my_rights m WHERE m."right" IN ('operate', 'see_audit'));

CREATE OR REPLACE FUNCTION sec.caller_has(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT EXISTS (SELECT 1 FROM sec.login l JOIN sec.person p USING (person_id)
    JOIN sec.role_right r ON r.role = p.role
    WHERE l.login = sec.caller() AND l.client_id IS NULL AND p.disabled_at IS NULL
      AND (l.expires_at IS NULL OR l.expires_at > statement_timestamp()) AND r."right" = wanted)
$$;
"""


def upgrade() -> None:
    """Define them again; who may read them stays as it is."""
    op.execute(VIEWS)
