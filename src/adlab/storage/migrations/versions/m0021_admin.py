"""What the administration's pages read: people, grants, jobs, workers, and the state of the log.

Reason: the web process has no rights of its own, so what operators and auditors see there is
decided where everything else is: by views that ask for the right of whoever reads.
"""

from alembic import op

revision = "0021"
down_revision = "0020"

VIEWS = """
-- What the caller may do in the agency. A login for one client may do nothing there.
CREATE VIEW sec.my_rights AS
  SELECT r."right"
  FROM sec.login l JOIN sec.person p USING (person_id) JOIN sec.role_right r ON r.role = p.role
  WHERE l.login = current_user AND l.client_id IS NULL AND p.disabled_at IS NULL
    AND (l.expires_at IS NULL OR l.expires_at > now());

CREATE INDEX audit_actor ON sec.audit (actor, at);

CREATE VIEW api.people WITH (security_barrier) AS
  SELECT t.person_id, t.name, t.username, t.role, t.created_at, t.disabled_at,
    EXISTS (SELECT 1 FROM sec.password w WHERE w.person_id = t.person_id) AS has_password,
    (SELECT w.locked_until FROM sec.password w
      WHERE w.person_id = t.person_id AND w.locked_until > now()) AS locked_until,
    (SELECT max(a.at) FROM sec.audit a WHERE a.actor = t.name) AS active_at,
    (SELECT count(*) FROM sec.login l WHERE l.person_id = t.person_id AND l.kind = 'notebook'
      AND (l.expires_at IS NULL OR l.expires_at > now())) AS notebook_logins
  FROM sec.person t
  WHERE EXISTS (SELECT 1 FROM sec.my_rights m WHERE m."right" IN ('grant', 'see_audit'));

CREATE VIEW api.grants WITH (security_barrier) AS
  SELECT t.person_id, t.client_id, c.slug, c.name AS client_name, t.role, t.granted_at,
         t.granted_by, t.expires_at, t.reason, t.implied, t.break_glass
  FROM sec.access t JOIN app.client c USING (client_id)
  WHERE EXISTS (SELECT 1 FROM sec.my_rights m WHERE m."right" IN ('grant', 'see_audit'));

CREATE VIEW api.agency_jobs WITH (security_barrier) AS
  SELECT t.job_id, t.kind, t.client_id, c.slug, t.account_id, t.priority, t.state, t.due_at,
         t.attempts, t.worker_id, t.started_at, t.finished_at, t.rows, t.changed, t.calls, t.error
  FROM app.job t LEFT JOIN app.client c USING (client_id)
  WHERE EXISTS (SELECT 1 FROM sec.my_rights m WHERE m."right" = 'operate');

CREATE VIEW api.workers WITH (security_barrier) AS
  SELECT t.worker_id, t.host, t.pid, t.started_at, t.beat_at, t.leads FROM app.worker t
  WHERE EXISTS (SELECT 1 FROM sec.my_rights m WHERE m."right" = 'operate');

-- The first entries of the log that do not fit its chain; none when it is as it was written.
CREATE FUNCTION sec.audit_broken()
RETURNS TABLE (chain_no bigint, audit_id bigint, at timestamptz, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  WITH linked AS (
    SELECT c.chain_no, c.audit_id, c.hash,
           lag(c.hash, 1, sha256('adlab audit')) OVER w AS before,
           lag(c.chain_no, 1, 0::bigint) OVER w AS number_before
    FROM sec.audit_chain c WINDOW w AS (ORDER BY c.chain_no)
  ), found AS (
    SELECT l.chain_no, l.audit_id, a.at,
      CASE WHEN l.chain_no <> l.number_before + 1
             THEN 'entries before it are missing in the chain'
           WHEN a.audit_id IS NULL THEN 'the entry was removed'
           WHEN l.hash <> sha256(l.before || convert_to(sec.audit_text(a), 'UTF8'))
             THEN 'the entry or its hash was changed' END AS problem
    FROM linked l LEFT JOIN sec.audit a USING (audit_id)
    UNION ALL
    SELECT NULL, a.audit_id, a.at, 'the entry is not in the chain'
    FROM sec.audit a LEFT JOIN sec.audit_chain c USING (audit_id) WHERE c.audit_id IS NULL
    UNION ALL
    SELECT h.chain_no, NULL, NULL, 'the end of the chain was cut off or replaced'
    FROM sec.audit_head h
    WHERE h.chain_no <> coalesce((SELECT max(c.chain_no) FROM sec.audit_chain c), 0)
       OR h.hash <> coalesce(
         (SELECT c.hash FROM sec.audit_chain c ORDER BY c.chain_no DESC LIMIT 1),
         sha256('adlab audit'))
    UNION ALL
    SELECT NULL, NULL, NULL, 'the head of the chain was removed'
    WHERE NOT EXISTS (SELECT 1 FROM sec.audit_head)
  )
  SELECT f.chain_no, f.audit_id, f.at, f.problem FROM found f WHERE f.problem IS NOT NULL
  ORDER BY f.chain_no NULLS LAST, f.audit_id LIMIT 20
$$;

-- The same for those who may read the whole log.
CREATE FUNCTION api.audit_check()
RETURNS TABLE (chain_no bigint, audit_id bigint, at timestamptz, problem text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT b.* FROM sec.audit_broken() b WHERE sec.caller_has('see_audit')
$$;

CREATE FUNCTION api.audit_state()
RETURNS TABLE (entries bigint, head text, newest timestamptz, signed_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT h.chain_no, encode(h.hash, 'hex'), (SELECT max(a.at) FROM sec.audit a),
    (SELECT max(n.signed_at) FROM sec.audit_anchor n)
  FROM sec.audit_head h WHERE sec.caller_has('see_audit')
$$;
"""

# Reason: inside a definer function `current_user` is the owner, so the view above cannot be asked.
RIGHTS = """
CREATE FUNCTION sec.caller_has(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT EXISTS (SELECT 1 FROM sec.login l JOIN sec.person p USING (person_id)
    JOIN sec.role_right r ON r.role = p.role
    WHERE l.login = sec.caller() AND l.client_id IS NULL AND p.disabled_at IS NULL
      AND (l.expires_at IS NULL OR l.expires_at > now()) AND r."right" = wanted)
$$;
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sec, api FROM PUBLIC;
GRANT SELECT ON api.people, api.grants, api.agency_jobs, api.workers TO adlab_reader;
GRANT EXECUTE ON FUNCTION api.audit_check(), api.audit_state() TO adlab_reader;
"""


def upgrade() -> None:
    """Create the views and functions, and grant exactly those."""
    for ddl in (RIGHTS, VIEWS, GRANTS):
        op.execute(ddl)
