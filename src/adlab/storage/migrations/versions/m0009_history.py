"""What was known when: older versions of insights, and the days on which definitions changed.

Reason: Meta restates 28 days, and a number that was reported must stay explainable. The current row
stays in `insights_daily`; an older version keeps only the columns that the next one changed, with
the time it was first seen and the time it was replaced. `changed` names those columns by bit, in
the order of the columns from `spend_micro` on, because an old value may itself be unknown.
Definition changes are rows, so that an agency can add one and every comparison can be joined to
them.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

DDL = """
CREATE TABLE app.insights_version (
  date                    date NOT NULL,
  client_id               integer NOT NULL,
  account_id              bigint NOT NULL,
  object_id               bigint NOT NULL,
  level                   smallint NOT NULL,
  changed                 integer NOT NULL,
  seen_at                 timestamptz NOT NULL,
  replaced_at             timestamptz NOT NULL,
  spend_micro             bigint,
  impressions             bigint,
  reach                   bigint,
  clicks                  bigint,
  link_clicks             bigint,
  outbound_clicks         double precision,
  landing_page_views      double precision,
  post_engagements        double precision,
  content_views           double precision,
  searches                double precision,
  adds_to_cart            double precision,
  checkouts               double precision,
  purchases               double precision,
  revenue_micro           bigint,
  leads                   double precision,
  video_3s_plays          double precision,
  thruplays               double precision,
  attribution_setting     text,
  quality_ranking         text,
  engagement_rate_ranking text,
  conversion_rate_ranking text,
  -- Lists and entries of `actions` that the next version changed; null where it was absent.
  actions                 jsonb
);
-- Reason: no unique key; equal entries share one index tuple, so this index stays small.
CREATE INDEX insights_version_client ON app.insights_version (client_id, level, date);

CREATE TABLE app.version_thinning (
  account_id bigint PRIMARY KEY REFERENCES app.account ON DELETE CASCADE,
  thinned_at timestamptz NOT NULL
);

-- What of an older action document a newer one changed, as {list: {action types: old cells}}. Types
-- with the same difference share it, their names joined by spaces: one purchase is counted under
-- four. Of an entry that is in both only the cells that differ are kept, null for one that was not
-- there; `default` is left out where it equals `value`. Null stands for an entry, a list or a whole
-- document that was not there at all.
CREATE FUNCTION app.actions_delta(old jsonb, new jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT CASE WHEN old IS NULL THEN 'null'::jsonb ELSE (
    SELECT jsonb_object_agg(lists.name,
      CASE WHEN old -> lists.name IS NULL THEN 'null'::jsonb ELSE (
      SELECT coalesce(jsonb_object_agg(same.kinds, same.cells), '{}') FROM (
        SELECT string_agg(pairs.kind, ' ') AS kinds, pairs.cells FROM (
          SELECT coalesce(o.entry ->> 'action_type', n.entry ->> 'action_type', '') AS kind,
            CASE WHEN o.entry IS NULL THEN 'null'::jsonb
                 WHEN n.entry IS NULL THEN o.entry - 'action_type'
                 ELSE (SELECT jsonb_object_agg(key, coalesce(o.entry -> key, 'null'))
                       FROM (SELECT key FROM jsonb_object_keys(o.entry || n.entry) key) every
                       WHERE o.entry -> key IS DISTINCT FROM n.entry -> key
                         AND NOT (key = 'default' AND n.entry ? 'default'
                                  AND o.entry -> key IS NOT DISTINCT FROM o.entry -> 'value'))
            END AS cells
          FROM jsonb_array_elements(old -> lists.name) o(entry)
          FULL JOIN jsonb_array_elements(coalesce(new -> lists.name, '[]')) n(entry)
            ON o.entry ->> 'action_type' = n.entry ->> 'action_type'
          WHERE o.entry IS DISTINCT FROM n.entry) pairs
        GROUP BY pairs.cells) same) END)
    FROM (SELECT jsonb_object_keys(old) AS name
          UNION SELECT jsonb_object_keys(coalesce(new, '{}'))) lists
    WHERE old -> lists.name IS DISTINCT FROM new -> lists.name) END
$$;

CREATE TABLE app.epoch (
  epoch_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  starts_on date NOT NULL,
  -- Last day of a change that was rolled out over some time.
  ends_on   date NOT NULL,
  title     text NOT NULL CHECK (length(title) BETWEEN 1 AND 100),
  detail    text NOT NULL,
  -- Metrics whose meaning changed; empty stands for all.
  metrics   text[] NOT NULL DEFAULT '{}',
  source    text NOT NULL,
  CHECK (ends_on >= starts_on),
  UNIQUE (starts_on, title)
);
INSERT INTO app.epoch (starts_on, ends_on, title, detail, metrics, source) VALUES
('2025-06-10', '2025-06-10', 'Unified attribution',
 'Attribution of the ad set is forced; conversions are dated mixed; reach with breakdowns reaches '
 'back 13 months.',
 '{purchases,revenue,leads,roas,cpa,cvr,aov,cpl,reach,frequency}', 'Meta, Marketing API changes'),
('2026-01-12', '2026-01-12', 'View windows removed',
 '7d_view and 28d_view return nothing; unique counts and hourly data reach back 13 months.',
 '{purchases,revenue,leads,roas,cpa,cvr,aov,cpl}', 'Meta, Marketing API blog 2025-10-16'),
('2026-03-01', '2026-04-06', 'Click means link click',
 'Click-through counts link clicks only; engage-through (5 seconds, 1 day) replaces engaged view. '
 'Rolled out during March and April 2026.',
 '{purchases,revenue,leads,roas,cpa,cvr,aov,cpl}', 'Trade press, March to April 2026');

CREATE VIEW api.epochs AS SELECT starts_on, ends_on, title, detail, metrics, source FROM app.epoch;
"""

VERSION_COLUMNS = (
    "date, client_id, account_id, object_id, level, changed, seen_at, replaced_at, spend_micro,"
    " impressions, reach, clicks, link_clicks, outbound_clicks, landing_page_views,"
    " post_engagements, content_views, searches, adds_to_cart, checkouts, purchases,"
    " revenue_micro, leads, video_3s_plays, thruplays, attribution_setting, quality_ranking,"
    " engagement_rate_ranking, conversion_rate_ranking, actions"
)


def upgrade() -> None:
    """Create the versions, the definition changes and what people may read of them."""
    op.execute(DDL)
    picked = ", ".join(f"t.{column.strip()}" for column in VERSION_COLUMNS.split(","))
    op.execute(
        "CREATE VIEW api.insights_versions WITH (security_barrier) AS "  # noqa: S608
        f"SELECT {picked} FROM app.insights_version t "
        "WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v)"
    )
    op.execute("GRANT SELECT ON api.insights_versions, api.epochs TO adlab_reader")
