"""Schema `api`: all that people may read.

Reason: row security works on neither columnstore nor continuous aggregates, and settings guard
nothing where people type SQL. So people are granted security-barrier views only; each filters by
the login role in the cheapest safe form measured, `client_id IN (SELECT …)`.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

# name: (columns, source)
_VIEWS = {
    "clients": (
        "client_id, slug, name, currency, timezone, status, brand, created_at", "app.client"),
    "accounts": (
        "account_id, client_id, name, currency, timezone, account_status, disable_reason, source,"
        " created_at, seen_at", "app.account"),
    "objects": (
        "client_id, account_id, level, object_id, campaign_id, ad_set_id, creative_id, name,"
        " status, effective_status, objective, optimization_goal, bid_strategy, daily_budget_minor,"
        " lifetime_budget_minor, created_at, updated_at, start_at, stop_at, extra, seen_at,"
        " vanished_at",
        "app.object"),
    "object_history": (
        "client_id, account_id, level, object_id, valid_from, valid_to, state",
        "app.object_history"),
    "insights_daily": (
        "date, client_id, account_id, level, object_id, spend_micro, impressions, reach, clicks,"
        " link_clicks, outbound_clicks, landing_page_views, post_engagements, content_views,"
        " searches, adds_to_cart, checkouts, purchases, revenue_micro, leads, video_3s_plays,"
        " thruplays, attribution_setting, quality_ranking, engagement_rate_ranking,"
        " conversion_rate_ranking, actions, import_id, fetched_at", "app.insights_daily"),
    "account_daily": (
        "client_id, account_id, level, date, objects, spend_micro, impressions, clicks,"
        " link_clicks, outbound_clicks, landing_page_views, post_engagements, content_views,"
        " searches, adds_to_cart, checkouts, purchases, revenue_micro, leads, video_3s_plays,"
        " thruplays, unknown, fetched_at", "app.account_daily"),
    "sync_state": (
        "account_id, client_id, kind, level, since, until, checked_at, changed_at, status, error",
        "app.sync_state"),
    "imports": (
        "import_id, client_id, account_id, file_name, sha256, level, since, until, rows, bad_rows,"
        " imported_at, undone_at", "app.import_file"),
    "connections": (
        "connection_id, client_id, token_type, scopes, expires_at, status, status_reason,"
        " checked_at",
        "sec.connection"),
}  # fmt: skip

TIDY = """
-- Every action value by type and attribution window; `value` on the wire is window 'default'.
CREATE VIEW api.actions WITH (security_barrier) AS
  SELECT i.date, i.client_id, i.account_id, i.level, i.object_id,
         list.key AS list,
         entry ->> 'action_type' AS action_type,
         CASE win.key WHEN 'value' THEN 'default' ELSE win.key END AS attribution_window,
         (win.value #>> '{}')::numeric AS value
  FROM app.insights_daily i
  CROSS JOIN LATERAL jsonb_each(i.actions) AS list
  CROSS JOIN LATERAL jsonb_array_elements(list.value) AS entry
  CROSS JOIN LATERAL jsonb_each(entry) AS win
  WHERE i.client_id IN (SELECT v.client_id FROM sec.visible v)
    AND (win.key = 'value' OR win.key ~ '^[0-9]+d_(click|view|ev)$')
    AND jsonb_typeof(win.value) IN ('string', 'number')
"""

FUNCTIONS = """
CREATE FUNCTION api.whoami() RETURNS TABLE (
  name text, role text, login name, login_expires_at timestamptz, clients text[],
  grant_expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT p.name, p.role, l.login, l.expires_at,
    ARRAY(SELECT c.slug FROM app.client c JOIN sec.access a USING (client_id)
          WHERE a.person_id = p.person_id AND a.sees_data
            AND (a.expires_at IS NULL OR a.expires_at > now()) ORDER BY c.slug),
    (SELECT min(a.expires_at) FROM sec.access a
      WHERE a.person_id = p.person_id AND a.sees_data AND a.expires_at > now())
  FROM sec.login l JOIN sec.person p USING (person_id)
  -- Reason: inside a definer function current_user is the owner; the role that called stands in
  -- the setting `role`, or is session_user where none was set.
  WHERE l.login = CASE current_setting('role') WHEN 'none' THEN session_user
                       ELSE current_setting('role')::name END
    AND p.disabled_at IS NULL AND (l.expires_at IS NULL OR l.expires_at > now())
$$;

CREATE FUNCTION api.schema_version() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT version_num::text FROM app.schema_version
$$;

CREATE VIEW api.audit WITH (security_barrier) AS
  SELECT audit_id, at, actor, action, client_id, details FROM sec.audit
  WHERE EXISTS (SELECT 1 FROM sec.login l JOIN sec.person p USING (person_id)
    WHERE l.login = current_user AND p.sees_audit AND p.disabled_at IS NULL
      AND (l.expires_at IS NULL OR l.expires_at > now()));

-- For the boards' service alone: from a signed session to the person and the role to take.
CREATE FUNCTION sec.viewer(wanted integer) RETURNS TABLE (name text, role text, login name)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT p.name, p.role, l.login FROM sec.person p JOIN sec.login l USING (person_id)
  WHERE p.person_id = wanted AND l.kind = 'viewer' AND p.disabled_at IS NULL
    AND (l.expires_at IS NULL OR l.expires_at > now())
$$;
CREATE FUNCTION sec.use_login_link(hash bytea) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE sec.login_link SET used_at = now()
  WHERE nonce_hash = hash AND used_at IS NULL AND expires_at > now() RETURNING person_id
$$;
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app, sec, api FROM PUBLIC;
GRANT USAGE ON SCHEMA api TO adlab_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA api TO adlab_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api TO adlab_reader;
GRANT USAGE ON SCHEMA sec TO adlab_boards;
GRANT EXECUTE ON FUNCTION sec.viewer(integer), sec.use_login_link(bytea) TO adlab_boards;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
"""


def upgrade() -> None:
    """Create the views and functions people may use, and grant exactly those."""
    for name, (columns, source) in _VIEWS.items():
        picked = ", ".join(f"t.{column.strip()}" for column in columns.split(","))
        op.execute(
            f"CREATE VIEW api.{name} WITH (security_barrier) AS SELECT {picked} FROM {source} t "  # noqa: S608
            "WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v)"
        )
    op.execute(TIDY)
    op.execute(FUNCTIONS)
    op.execute(GRANTS)
