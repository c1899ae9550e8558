"""Daily insights at four levels, and the summary the boards read.

Reason: hot metrics are columns, every action array is kept whole in `actions` (decision 10); money
is an integer of micro units (decision 6). The summary is kept by the writer on both engines,
because it costs less than a continuous aggregate after a restatement and is never stale.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

DDL = """
-- level: 1 account, 2 campaign, 3 ad set, 4 ad. date: day of the account's timezone.
CREATE TABLE app.insights_daily (
  date                    date NOT NULL,
  client_id               integer NOT NULL,
  account_id              bigint NOT NULL,
  level                   smallint NOT NULL,
  object_id               bigint NOT NULL,
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
  actions                 jsonb,
  import_id               integer,
  fetched_at              timestamptz NOT NULL,
  PRIMARY KEY (account_id, level, object_id, date)
);
CREATE INDEX insights_daily_client ON app.insights_daily (client_id, level, date);
CREATE INDEX insights_daily_import ON app.insights_daily (import_id) WHERE import_id IS NOT NULL;

-- Sums of all objects of a level, a day and an account. `unknown` names the columns that are
-- missing in at least one of the rows, so that a ratio over them must go back to the rows.
CREATE TABLE app.account_daily (
  client_id          integer NOT NULL,
  account_id         bigint NOT NULL,
  level              smallint NOT NULL,
  date               date NOT NULL,
  objects            integer NOT NULL,
  spend_micro        bigint,
  impressions        bigint,
  clicks             bigint,
  link_clicks        bigint,
  outbound_clicks    double precision,
  landing_page_views double precision,
  post_engagements   double precision,
  content_views      double precision,
  searches           double precision,
  adds_to_cart       double precision,
  checkouts          double precision,
  purchases          double precision,
  revenue_micro      bigint,
  leads              double precision,
  video_3s_plays     double precision,
  thruplays          double precision,
  unknown            text[] NOT NULL DEFAULT '{}',
  fetched_at         timestamptz NOT NULL,
  PRIMARY KEY (client_id, account_id, level, date)
);
"""


def upgrade() -> None:
    """Create the fact table and its summary."""
    op.execute(DDL)
