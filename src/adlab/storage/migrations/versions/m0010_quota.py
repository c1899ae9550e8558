"""Quota: how Meta's meters stood after each run, and which report sizes were too large.

Notebooks have a database login and no Redis, so what the running processes share of the quota is
written here as well. An app's own meter is the same for all its accounts; how often others called
is nobody's business, so calls are kept for accounts only.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

DDL = """
-- The newest standing of each meter an account is held back by.
CREATE TABLE app.quota_meter (
  account_id      bigint NOT NULL REFERENCES app.account,
  meter           text NOT NULL,
  client_id       integer NOT NULL,
  percent         double precision,
  tier            text,
  score_percent   double precision,
  calls_last_hour integer,
  regain_at       timestamptz,
  as_of           timestamptz NOT NULL,
  PRIMARY KEY (account_id, meter)
);

-- What was too large for Meta: later questions of the kind are split at once.
CREATE TABLE app.report_size (
  account_id       bigint NOT NULL REFERENCES app.account,
  kind             text NOT NULL,
  client_id        integer NOT NULL,
  days             integer,
  ids              integer,
  fields           integer,
  report_from_days integer,
  learned_at       timestamptz NOT NULL,
  PRIMARY KEY (account_id, kind)
);

CREATE VIEW api.quota WITH (security_barrier) AS
  SELECT t.client_id, t.account_id, t.meter, t.percent, t.tier, t.score_percent,
         t.calls_last_hour, t.regain_at, t.as_of
  FROM app.quota_meter t
  WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);
GRANT SELECT ON api.quota TO adlab_reader;
"""


def upgrade() -> None:
    """Create the meters, the learned sizes, and what people may read of them."""
    op.execute(DDL)
