"""What we change at Meta: a journal of writes, and an outbox of conversion events.

Reason: a write whose answer was lost can be told from one that was never sent only by what was
written down before the call. So a row of the journal is committed first, and settled by reading
what is there. The outbox keeps events until Meta has them; customer data lies in it hashed, as
Meta wants it, and is erased with what cannot be hashed as soon as an event needs it no more.
"""

from alembic import op

revision = "0014"
down_revision = "0013"

JOURNAL = """
-- planned: nothing was sent. sent: a call was begun. verified: read back as wanted. differs: read
-- back, and not as wanted. unknown: it may have been done. waiting: until not_before.
-- change: parameters; wanted, before, after: fields; sends: moments of calls that may have counted.
CREATE TABLE app.change_journal (
  change_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key         uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  client_id   integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  account_id  bigint NOT NULL REFERENCES app.account ON DELETE CASCADE,
  level       smallint NOT NULL,
  object_id   bigint NOT NULL,
  kind        text NOT NULL,
  change      jsonb NOT NULL,
  wanted      jsonb NOT NULL,
  before      jsonb NOT NULL,
  after       jsonb,
  difference  jsonb,
  inverse     jsonb,
  state       text NOT NULL CHECK (state IN ('planned', 'waiting', 'sent', 'verified', 'differs',
              'failed', 'unknown', 'replaced')),
  not_before  timestamptz,
  label_id    text,
  made_id     bigint,
  made        jsonb,
  sends       timestamptz[] NOT NULL DEFAULT '{}',
  undoes      bigint REFERENCES app.change_journal ON DELETE CASCADE,
  replaced_by bigint REFERENCES app.change_journal ON DELETE CASCADE,
  actor       text NOT NULL,
  reason      text NOT NULL,
  remarks     text[] NOT NULL DEFAULT '{}',
  error       text,
  trace_id    text,
  planned_at  timestamptz NOT NULL,
  settled_at  timestamptz,
  CHECK (state <> 'waiting' OR not_before IS NOT NULL)
);
CREATE INDEX change_journal_object ON app.change_journal (account_id, object_id, change_id DESC);
CREATE INDEX change_journal_client ON app.change_journal (client_id, change_id DESC);
CREATE INDEX change_journal_open ON app.change_journal (state)
  WHERE state IN ('planned', 'waiting', 'sent', 'unknown');
CREATE UNIQUE INDEX change_journal_waiting ON app.change_journal (account_id, object_id, kind)
  WHERE state = 'waiting';
CREATE UNIQUE INDEX change_journal_undone ON app.change_journal (undoes)
  WHERE state NOT IN ('failed', 'replaced');

CREATE VIEW api.changes WITH (security_barrier) AS
  SELECT t.change_id, t.client_id, t.account_id, t.level, t.object_id, t.kind, t.change, t.wanted,
         t.before, t.after, t.difference, t.inverse, t.state, t.not_before, t.made_id, t.sends,
         t.undoes, t.replaced_by, t.actor, t.reason, t.remarks, t.error, t.planned_at, t.settled_at
  FROM app.change_journal t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);
"""

OUTBOX = """
-- posted_at: since when Meta may have it although no answer came; NULL when it surely has not.
-- payload: the event as sent, hashed; NULL once it is not needed any more.
CREATE TABLE app.conversion_event (
  conversion_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id       integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  dataset_id      bigint NOT NULL,
  event_name      text,
  event_id        text,
  event_time      timestamptz,
  expires_at      timestamptz,
  payload         jsonb,
  test_event_code text,
  state           text NOT NULL CHECK (state IN ('queued', 'sent', 'failed', 'expired', 'unknown',
                  'rejected')),
  attempts        integer NOT NULL DEFAULT 0,
  not_before      timestamptz,
  lease           uuid,
  lease_until     timestamptz,
  posted_at       timestamptz,
  error           text,
  trace_id        text,
  accepted_at     timestamptz NOT NULL,
  settled_at      timestamptz,
  CHECK (state <> 'queued' OR (payload IS NOT NULL AND event_name IS NOT NULL
         AND event_id IS NOT NULL AND event_time IS NOT NULL AND expires_at IS NOT NULL)),
  CHECK (state = 'queued' OR payload IS NULL)
);
-- An event Meta refused, or one that was never good, may come again, corrected.
CREATE UNIQUE INDEX conversion_event_once ON app.conversion_event (dataset_id, event_name, event_id)
  WHERE state IN ('queued', 'sent', 'unknown');
CREATE INDEX conversion_event_due ON app.conversion_event (not_before) WHERE state = 'queued';
CREATE INDEX conversion_event_client ON app.conversion_event (client_id, dataset_id, state);
CREATE INDEX conversion_event_settled ON app.conversion_event (settled_at)
  WHERE settled_at IS NOT NULL;

CREATE VIEW api.conversion_events WITH (security_barrier) AS
  SELECT t.client_id, t.dataset_id, t.event_name, t.state,
         t.test_event_code IS NOT NULL AS is_test, count(*) AS events,
         min(t.event_time) AS first_event_at, max(t.event_time) AS last_event_at,
         max(t.accepted_at) AS last_accepted_at, max(t.settled_at) AS last_settled_at
  FROM app.conversion_event t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v)
  GROUP BY t.client_id, t.dataset_id, t.event_name, t.state, t.test_event_code IS NOT NULL;
GRANT SELECT ON api.changes, api.conversion_events TO adlab_reader;
"""


def upgrade() -> None:
    """Create the journal, the outbox, and what people may see of them."""
    op.execute(JOURNAL)
    op.execute(OUTBOX)
