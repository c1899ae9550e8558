"""Everything else the product needs of Meta: breakdowns, audiences, changes, studies, health.

Reason: breakdowns have a table of their own, because their rows repeat the delivery of the daily
rows and nobody may add the two. Parts of its key are never NULL: a row without a value (an hour in
which nothing was shown) stands under 'unknown'. What Meta does not serve an account is kept as
status `not_served` with the reason, so that a missing number has an explanation.
"""

from alembic import op

revision = "0012"
down_revision = "0011"

# name of the table: its columns for people; all filtered by client
_VIEWS = {
    "insights_breakdown": (
        "date, client_id, account_id, level, object_id, breakdown, value, value2, label,"
        " spend_micro, impressions, reach, clicks, link_clicks, outbound_clicks,"
        " landing_page_views, post_engagements, content_views, searches, adds_to_cart, checkouts,"
        " purchases, revenue_micro, leads, video_3s_plays, thruplays, attribution_setting, actions,"
        " fetched_at"),
    "audience": (
        "client_id, account_id, audience_id, name, subtype, description, size_lower, size_upper,"
        " delivery_status, operation_status, retention_days, created_at, updated_at, extra,"
        " seen_at, vanished_at"),
    "activity": (
        "client_id, account_id, happened_at, event_type, event, actor_id, actor_name,"
        " application_id, object_id, object_type, object_name, old, new, extra, seen_at"),
    "study": (
        "client_id, account_id, study_id, name, type, description, start_at, end_at, canceled_at,"
        " cells, extra, seen_at, vanished_at"),
    "recommendation": (
        "client_id, account_id, signature, type, title, message, importance, object_ids, extra,"
        " first_seen_at, seen_at, vanished_at"),
    "pixel": (
        "client_id, account_id, pixel_id, name, last_fired_at, unavailable, created_at, extra,"
        " seen_at, vanished_at"),
    "pixel_stat": "client_id, account_id, pixel_id, hour_at, event, events, fetched_at",
    "creative": (
        "client_id, account_id, creative_id, name, status, object_type, title, body,"
        " call_to_action_type, image_hash, video_id, object_story_spec, asset_feed_spec,"
        " effective_object_story_id, url_tags, thumbnail_url, extra, seen_at, vanished_at"),
    "level_gap": (
        "client_id, account_id, date, level, settled_days, spend_micro_expected,"
        " spend_micro_found, impressions_expected, impressions_found, clicks_expected,"
        " clicks_found, purchases_expected, purchases_found, expected_at, found_at, gone"),
}  # fmt: skip
_NAMES = {
    "audience": "audiences", "activity": "activities", "study": "studies",
    "recommendation": "recommendations", "pixel": "pixels", "pixel_stat": "pixel_stats",
    "creative": "creatives", "level_gap": "level_gaps",
}  # fmt: skip

BREAKDOWN = """
-- level: as insights_daily. breakdown: our name of it. value, value2: its parts (value2 is '' where
-- there is one part; of an asset value is Meta's id, and label what a person reads).
CREATE TABLE app.insights_breakdown (
  date                date NOT NULL,
  client_id           integer NOT NULL,
  account_id          bigint NOT NULL,
  level               smallint NOT NULL,
  object_id           bigint NOT NULL,
  breakdown           text NOT NULL,
  value               text NOT NULL,
  value2              text NOT NULL DEFAULT '',
  label               text,
  spend_micro         bigint,
  impressions         bigint,
  reach               bigint,
  clicks              bigint,
  link_clicks         bigint,
  outbound_clicks     double precision,
  landing_page_views  double precision,
  post_engagements    double precision,
  content_views       double precision,
  searches            double precision,
  adds_to_cart        double precision,
  checkouts           double precision,
  purchases           double precision,
  revenue_micro       bigint,
  leads               double precision,
  video_3s_plays      double precision,
  thruplays           double precision,
  attribution_setting text,
  actions             jsonb,
  fetched_at          timestamptz NOT NULL,
  PRIMARY KEY (account_id, breakdown, level, object_id, date, value, value2)
);
CREATE INDEX insights_breakdown_client
  ON app.insights_breakdown (client_id, breakdown, level, date);

-- Kinds: objects, insights, breakdown:<kind>, catalogue:<kind>.
ALTER TABLE app.sync_state DROP CONSTRAINT IF EXISTS sync_state_kind_check;
ALTER TABLE app.sync_state ADD CONSTRAINT sync_state_kind_check CHECK (
  kind IN ('objects', 'insights') OR kind ~ '^(breakdown|catalogue):[a-z_]+$');

CREATE TABLE app.breakdown_slice (
  run_id       bigint NOT NULL REFERENCES app.sync_run ON DELETE CASCADE,
  account_id   bigint NOT NULL,
  breakdown    text NOT NULL,
  level        smallint NOT NULL,
  since        date NOT NULL,
  until        date NOT NULL,
  rows         bigint NOT NULL,
  committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, account_id, breakdown, level, since, until)
);
"""

ENTITIES = """
CREATE TABLE app.audience (
  client_id        integer NOT NULL,
  account_id       bigint NOT NULL REFERENCES app.account,
  audience_id      bigint NOT NULL,
  name             text NOT NULL,
  subtype          text,
  description      text,
  size_lower       bigint,
  size_upper       bigint,
  delivery_status  text,
  operation_status text,
  retention_days   integer,
  created_at       timestamptz,
  updated_at       timestamptz,
  extra            jsonb NOT NULL DEFAULT '{}',
  seen_at          timestamptz NOT NULL,
  vanished_at      timestamptz,
  PRIMARY KEY (account_id, audience_id)
);
-- Meta gives events no id: the key is a digest of everything that tells two apart.
CREATE TABLE app.activity (
  client_id      integer NOT NULL,
  account_id     bigint NOT NULL REFERENCES app.account,
  digest         bytea NOT NULL,
  happened_at    timestamptz NOT NULL,
  event_type     text NOT NULL,
  event          text,
  actor_id       text,
  actor_name     text,
  application_id text,
  object_id      text,
  object_type    text,
  object_name    text,
  old            jsonb,
  new            jsonb,
  extra          jsonb,
  seen_at        timestamptz NOT NULL,
  PRIMARY KEY (account_id, digest)
);
CREATE INDEX activity_time ON app.activity (client_id, happened_at);
CREATE TABLE app.study (
  client_id   integer NOT NULL,
  account_id  bigint NOT NULL REFERENCES app.account,
  study_id    bigint NOT NULL,
  name        text NOT NULL,
  type        text,
  description text,
  start_at    timestamptz,
  end_at      timestamptz,
  canceled_at timestamptz,
  cells       jsonb NOT NULL DEFAULT '[]',
  extra       jsonb NOT NULL DEFAULT '{}',
  seen_at     timestamptz NOT NULL,
  vanished_at timestamptz,
  PRIMARY KEY (account_id, study_id)
);
CREATE TABLE app.recommendation (
  client_id     integer NOT NULL,
  account_id    bigint NOT NULL REFERENCES app.account,
  signature     text NOT NULL,
  type          text,
  title         text,
  message       text,
  importance    text,
  object_ids    text[] NOT NULL DEFAULT '{}',
  extra         jsonb NOT NULL DEFAULT '{}',
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  seen_at       timestamptz NOT NULL,
  vanished_at   timestamptz,
  PRIMARY KEY (account_id, signature)
);
CREATE TABLE app.pixel (
  client_id     integer NOT NULL,
  account_id    bigint NOT NULL REFERENCES app.account,
  pixel_id      bigint NOT NULL,
  name          text NOT NULL,
  last_fired_at timestamptz,
  unavailable   boolean,
  created_at    timestamptz,
  extra         jsonb NOT NULL DEFAULT '{}',
  seen_at       timestamptz NOT NULL,
  vanished_at   timestamptz,
  PRIMARY KEY (account_id, pixel_id)
);
CREATE TABLE app.pixel_stat (
  client_id  integer NOT NULL,
  account_id bigint NOT NULL REFERENCES app.account,
  pixel_id   bigint NOT NULL,
  hour_at    timestamptz NOT NULL,
  event      text NOT NULL,
  events     bigint NOT NULL,
  fetched_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, pixel_id, hour_at, event)
);
-- thumbnail_url is signed and expires: shown, never a key.
CREATE TABLE app.creative (
  client_id                 integer NOT NULL,
  account_id                bigint NOT NULL REFERENCES app.account,
  creative_id               bigint NOT NULL,
  name                      text NOT NULL,
  status                    text,
  object_type               text,
  title                     text,
  body                      text,
  call_to_action_type       text,
  image_hash                text,
  video_id                  text,
  object_story_spec         jsonb,
  asset_feed_spec           jsonb,
  effective_object_story_id text,
  url_tags                  text,
  thumbnail_url             text,
  extra                     jsonb NOT NULL DEFAULT '{}',
  seen_at                   timestamptz NOT NULL,
  vanished_at               timestamptz,
  PRIMARY KEY (account_id, creative_id)
);
CREATE INDEX ON app.audience (client_id);
CREATE INDEX ON app.study (client_id);
CREATE INDEX ON app.recommendation (client_id);
CREATE INDEX ON app.pixel (client_id);
CREATE INDEX ON app.pixel_stat (client_id, hour_at);
CREATE INDEX ON app.creative (client_id);
"""

# Money of an account is whole offset units of its currency; NULL is "not told" or "no cap".
ACCOUNT = """
ALTER TABLE app.account
  ADD COLUMN spend_cap_minor bigint,
  ADD COLUMN amount_spent_minor bigint,
  ADD COLUMN balance_minor bigint,
  ADD COLUMN min_daily_budget_minor bigint,
  ADD COLUMN is_prepay boolean,
  ADD COLUMN capabilities text[];
CREATE OR REPLACE VIEW api.accounts WITH (security_barrier) AS
  SELECT t.account_id, t.client_id, t.name, t.currency, t.timezone, t.account_status,
         t.disable_reason, t.source, t.created_at, t.seen_at, t.spend_cap_minor,
         t.amount_spent_minor, t.balance_minor, t.min_daily_budget_minor, t.is_prepay,
         t.capabilities, t.extra
  FROM app.account t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);
"""

# Σ of each level against the account's own row, for every day both were read.
GAPS = """
CREATE VIEW app.level_gap AS
  WITH day AS (
    SELECT DISTINCT d.client_id, d.account_id, d.date FROM app.account_daily d
    JOIN app.account a ON a.account_id = d.account_id AND a.source = 'meta'),
  gone AS (
    SELECT o.account_id, o.level, count(*) AS objects FROM app.object o
    WHERE o.vanished_at IS NOT NULL OR o.effective_status = 'DELETED' OR o.status IS NULL
    GROUP BY o.account_id, o.level)
  SELECT day.client_id, day.account_id, day.date, below.level,
         ((now() AT TIME ZONE 'UTC')::date - day.date) AS settled_days,
         coalesce(whole.spend_micro, 0) AS spend_micro_expected,
         coalesce(part.spend_micro, 0)::bigint AS spend_micro_found,
         coalesce(whole.impressions, 0) AS impressions_expected,
         coalesce(part.impressions, 0)::bigint AS impressions_found,
         coalesce(whole.clicks, 0) AS clicks_expected,
         coalesce(part.clicks, 0)::bigint AS clicks_found,
         CASE WHEN whole.unknown @> ARRAY['purchases'] THEN NULL
              ELSE coalesce(whole.purchases, 0) END AS purchases_expected,
         CASE WHEN part.unknown @> ARRAY['purchases'] THEN NULL
              ELSE coalesce(part.purchases, 0) END AS purchases_found,
         whole.fetched_at AS expected_at, part.fetched_at AS found_at,
         (SELECT coalesce(sum(g.objects), 0)::bigint FROM gone g
           WHERE g.account_id = day.account_id AND g.level <= below.level) AS gone
  FROM day
  JOIN app.sync_state top ON top.account_id = day.account_id AND top.kind = 'insights'
    AND top.level = 1 AND day.date BETWEEN top.since AND top.until
  JOIN app.sync_state below ON below.account_id = day.account_id AND below.kind = 'insights'
    AND below.level BETWEEN 2 AND 4 AND day.date BETWEEN below.since AND below.until
  LEFT JOIN app.account_daily whole ON whole.client_id = day.client_id
    AND whole.account_id = day.account_id AND whole.date = day.date AND whole.level = 1
  LEFT JOIN app.account_daily part ON part.client_id = day.client_id
    AND part.account_id = day.account_id AND part.date = day.date AND part.level = below.level;
"""

# What Meta says is wrong with an object, from the fields its newest read brought.
ISSUES = """
CREATE VIEW api.issues WITH (security_barrier) AS
  SELECT t.client_id, t.account_id, t.level, t.object_id, t.name, 'issue' AS source,
         e ->> 'error_code' AS code, coalesce(e ->> 'error_summary', e ->> 'error_type') AS summary,
         e ->> 'error_message' AS message, t.seen_at
  FROM app.object t CROSS JOIN LATERAL jsonb_array_elements(t.extra -> 'issues_info') e
  WHERE jsonb_typeof(t.extra -> 'issues_info') = 'array' AND t.vanished_at IS NULL
    AND t.client_id IN (SELECT v.client_id FROM sec.visible v)
  UNION ALL
  SELECT t.client_id, t.account_id, t.level, t.object_id, t.name, 'delivery check',
         e ->> 'check_name', e ->> 'summary', e ->> 'description', t.seen_at
  FROM app.object t CROSS JOIN LATERAL jsonb_array_elements(t.extra -> 'failed_delivery_checks') e
  WHERE jsonb_typeof(t.extra -> 'failed_delivery_checks') = 'array' AND t.vanished_at IS NULL
    AND t.client_id IN (SELECT v.client_id FROM sec.visible v)
  UNION ALL
  SELECT t.client_id, t.account_id, t.level, t.object_id, t.name, 'review',
         r.key, f.key, f.value #>> '{}', t.seen_at
  FROM app.object t CROSS JOIN LATERAL jsonb_each(t.extra -> 'ad_review_feedback') r
  CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(r.value) WHEN 'object' THEN r.value
                                     ELSE jsonb_build_object('feedback', r.value) END) f
  WHERE jsonb_typeof(t.extra -> 'ad_review_feedback') = 'object' AND t.vanished_at IS NULL
    AND t.client_id IN (SELECT v.client_id FROM sec.visible v);
GRANT SELECT ON api.issues TO adlab_reader;
"""

# Reason: the function itself is replaced in place, so that whatever an earlier migration made of
# the rest of it stays. Values that move with delivery (amount spent, budget remaining) are kept as
# the newest state only: a version of the object each quarter of an hour would bury its changes.
HISTORY = """
DO $do$
DECLARE body text;
BEGIN
  body := pg_get_functiondef('app.keep_history()'::regprocedure);
  body := replace(body, $x$'disable_reason', NEW.disable_reason)$x$,
    $x$'disable_reason', NEW.disable_reason, 'spend_cap_minor', NEW.spend_cap_minor,
      'min_daily_budget_minor', NEW.min_daily_budget_minor, 'is_prepay', NEW.is_prepay,
      'capabilities', NEW.capabilities)$x$);
  body := replace(body, $x$'extra', NEW.extra)$x$,
    $x$'extra', NEW.extra - ARRAY['budget_remaining', 'preview_shareable_link'])$x$);
  IF position('spend_cap_minor' IN body) = 0 OR position('budget_remaining' IN body) = 0 THEN
    RAISE EXCEPTION 'app.keep_history is not as expected';
  END IF;
  EXECUTE body;
END $do$;
"""


def upgrade() -> None:
    """Create tables for breakdowns and the catalogue, and what people may read of them."""
    op.execute(BREAKDOWN)
    op.execute(ENTITIES)
    op.execute(ACCOUNT)
    op.execute(GAPS)
    for table, columns in _VIEWS.items():
        picked = ", ".join(f"t.{column.strip()}" for column in columns.split(","))
        name = _NAMES.get(table, table)
        op.execute(
            f"CREATE VIEW api.{name} WITH (security_barrier) AS SELECT {picked} FROM app.{table} t "  # noqa: S608
            "WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v)"
        )
        op.execute(f"GRANT SELECT ON api.{name} TO adlab_reader")
    op.execute(ISSUES)
    op.execute(HISTORY)
