"""Jobs: what is due, who does it, what came of it; and the long load of an account's history.

Reason: the queue lives beside the data, so that a job and what it stored are one truth, and a
worker that dies leaves nothing but an old lease. A key has one active job at most: a turn that
comes while the last one is still waiting or running is the same turn.
"""

from alembic import op

revision = "0013"
down_revision = "0012"

DDL = """
CREATE TABLE app.worker (
  worker_id  text PRIMARY KEY,
  host       text NOT NULL,
  pid        integer NOT NULL,
  started_at timestamptz NOT NULL,
  beat_at    timestamptz NOT NULL,
  leads      boolean NOT NULL DEFAULT false
);

CREATE TABLE app.job (
  job_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind        text NOT NULL,
  key         text NOT NULL,
  client_id   integer REFERENCES app.client ON DELETE CASCADE,
  account_id  bigint REFERENCES app.account ON DELETE CASCADE,
  -- 0 live, 1 report, 2 back-fill.
  priority    smallint NOT NULL CHECK (priority BETWEEN 0 AND 2),
  arguments   jsonb NOT NULL DEFAULT '{}',
  state       text NOT NULL DEFAULT 'queued'
              CHECK (state IN ('queued', 'running', 'done', 'failed')),
  due_at      timestamptz NOT NULL,
  not_before  timestamptz NOT NULL,
  attempts    integer NOT NULL DEFAULT 0,
  worker_id   text,
  lease_until timestamptz,
  started_at  timestamptz,
  finished_at timestamptz,
  rows        bigint,
  changed     bigint,
  calls       integer,
  error       text
);
CREATE UNIQUE INDEX job_active ON app.job (key) WHERE state IN ('queued', 'running');
CREATE INDEX job_waiting ON app.job (priority, due_at) WHERE state = 'queued';
CREATE INDEX job_newest ON app.job (key, finished_at DESC);
CREATE INDEX job_client ON app.job (client_id, finished_at DESC);

CREATE TABLE app.backfill (
  account_id   bigint PRIMARY KEY REFERENCES app.account ON DELETE CASCADE,
  client_id    integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  since        date NOT NULL,
  until        date NOT NULL,
  levels       text[] NOT NULL,
  -- Oldest day that is in already; null while nothing is.
  reached      date,
  calls        bigint NOT NULL DEFAULT 0,
  rows         bigint NOT NULL DEFAULT 0,
  seconds      double precision NOT NULL DEFAULT 0,
  requested_at timestamptz NOT NULL,
  requested_by text NOT NULL DEFAULT session_user,
  finished_at  timestamptz,
  CHECK (since <= until)
);

CREATE VIEW api.jobs WITH (security_barrier) AS
  SELECT t.job_id, t.kind, t.client_id, t.account_id, t.priority, t.state, t.due_at, t.attempts,
         t.started_at, t.finished_at, t.rows, t.changed, t.calls, t.error
  FROM app.job t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);
CREATE VIEW api.backfills WITH (security_barrier) AS
  SELECT t.account_id, t.client_id, t.since, t.until, t.levels, t.reached, t.calls, t.rows,
         t.seconds, t.requested_at, t.finished_at
  FROM app.backfill t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);
GRANT SELECT ON api.jobs, api.backfills TO adlab_reader;
"""


def upgrade() -> None:
    """Create workers, jobs, back-fills and what people may see of them."""
    op.execute(DDL)
