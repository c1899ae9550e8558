"""The inbox: what Meta told us through webhooks, and what we did because of it.

Reason: Meta gives updates no id, sends some twice and none in order, so an update is known by a
digest of what it says. It is stored before it is acknowledged. The process that stands in the
internet has a login that can call two functions and read nothing at all.
"""

from alembic import op

revision = "0015"
down_revision = "0014"

TABLES = """
-- account_id is the entry's id whoever it belongs to; client_id is NULL when no client has it.
-- topic: what the app subscribes to, NULL when we know none of that field. digest: object, entry,
-- field, value and time; value_digest: the same without time. sent_at: Meta's entry.time.
-- lease_until: a processor is at it. repeats: how often the same came again.
CREATE TABLE app.webhook_event (
  event_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  received_at  timestamptz NOT NULL,
  sent_at      timestamptz NOT NULL,
  account_id   bigint NOT NULL,
  client_id    integer REFERENCES app.client ON DELETE CASCADE,
  field        text NOT NULL,
  topic        text,
  object_id    bigint,
  value        jsonb NOT NULL,
  digest       bytea NOT NULL UNIQUE,
  value_digest bytea NOT NULL,
  state        text NOT NULL DEFAULT 'new'
               CHECK (state IN ('new', 'done', 'failed', 'ignored')),
  not_before   timestamptz NOT NULL,
  lease_until  timestamptz,
  attempts     integer NOT NULL DEFAULT 0,
  processed_at timestamptz,
  outcome      jsonb,
  error        text,
  repeats      integer NOT NULL DEFAULT 0,
  repeated_at  timestamptz
);
CREATE INDEX webhook_event_value ON app.webhook_event (value_digest, event_id DESC);
CREATE INDEX webhook_event_new ON app.webhook_event (event_id) WHERE state = 'new';
CREATE INDEX webhook_event_client ON app.webhook_event (client_id, event_id DESC);
CREATE INDEX webhook_event_received ON app.webhook_event (received_at);

-- Days of UTC.
CREATE TABLE app.webhook_refusal (
  day     date NOT NULL,
  reason  text NOT NULL,
  refused bigint NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (day, reason)
);
"""

FUNCTIONS = """
-- Keep updates. given: [{account, field, topic, object, value, sent_at (epoch seconds), digest,
-- value_digest (hex), collapse}]. collapse says when the same value at another time is the same
-- happening: 'exact' never, 'waiting' while the earlier one is not processed yet (it will be read
-- after both), 'once' also within 36 hours. Out: how many are new, came again, belong to nobody.
-- Reason: FOR UPDATE SKIP LOCKED, so that an acknowledgement never waits for a processor; a repeat
-- of an event in work is not counted on it. The job is asked for in the same transaction.
CREATE FUNCTION sec.take_webhooks(given jsonb, at timestamptz)
RETURNS TABLE (stored bigint, repeated bigint, strangers bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  RETURN QUERY
  WITH wire AS (
    SELECT g.account, g.field, g.topic, g.object, coalesce(g.value, 'null') AS value, g.collapse,
           g.place, to_timestamp(g.sent_at) AS sent_at, decode(g.digest, 'hex') AS digest,
           decode(g.value_digest, 'hex') AS value_digest
    FROM ROWS FROM (jsonb_to_recordset(given) AS (account bigint, field text, topic text,
      object bigint, value jsonb, sent_at bigint, digest text, value_digest text, collapse text))
      WITH ORDINALITY AS g (account, field, topic, object, value, sent_at, digest, value_digest,
      collapse, place)
  ), known AS (
    SELECT w.*, (
      SELECT e.event_id FROM app.webhook_event e
      WHERE e.value_digest = w.value_digest AND (
        e.digest = w.digest
        OR (w.collapse <> 'exact' AND e.state = 'new' AND e.lease_until IS NULL)
        OR (w.collapse = 'once' AND e.received_at > at - interval '36 hours'))
      ORDER BY e.event_id DESC LIMIT 1) AS event_id
    FROM wire w
  ), fresh AS (
    SELECT DISTINCT ON (f.same) f.*
    FROM (SELECT k.*, CASE k.collapse WHEN 'exact' THEN k.digest ELSE k.value_digest END AS same,
            count(*) OVER (PARTITION BY
              CASE k.collapse WHEN 'exact' THEN k.digest ELSE k.value_digest END) AS times
          FROM known k WHERE k.event_id IS NULL) f
    ORDER BY f.same, f.sent_at DESC, f.place
  ), made AS (
    INSERT INTO app.webhook_event AS e (received_at, sent_at, account_id, client_id, field, topic,
      object_id, value, digest, value_digest, not_before, repeats)
    SELECT at, f.sent_at, f.account, a.client_id, f.field, f.topic, f.object, f.value, f.digest,
           f.value_digest, at, f.times - 1
    FROM fresh f LEFT JOIN app.account a ON a.account_id = f.account
    ORDER BY f.sent_at, f.place
    ON CONFLICT (digest) DO NOTHING
    RETURNING e.client_id
  ), again AS (
    SELECT k.event_id, count(*)::integer AS times FROM known k
    WHERE k.event_id IS NOT NULL GROUP BY k.event_id
  ), free AS MATERIALIZED (
    SELECT e.event_id FROM app.webhook_event e
    WHERE e.event_id IN (SELECT r.event_id FROM again r)
    ORDER BY e.event_id FOR UPDATE SKIP LOCKED
  ), counted AS (
    UPDATE app.webhook_event e SET repeats = e.repeats + r.times, repeated_at = at
    FROM again r JOIN free USING (event_id) WHERE e.event_id = r.event_id
  )
  SELECT count(*), (SELECT count(*) FROM wire) - count(*),
         count(*) FILTER (WHERE m.client_id IS NULL)
  FROM made m;
  IF EXISTS (SELECT 1 FROM app.webhook_event e WHERE e.state = 'new') THEN
    -- Reason: two seconds later, so that a burst is one job.
    INSERT INTO app.job (kind, key, priority, due_at, not_before)
    VALUES ('inbox', 'inbox', 0, at, at + interval '2 seconds')
    ON CONFLICT (key) WHERE state IN ('queued', 'running') DO NOTHING;
  END IF;
END $$;

-- Count what was refused. counts: {reason: how many}.
CREATE FUNCTION sec.refuse_webhooks(counts jsonb, at timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
  INSERT INTO app.webhook_refusal AS r (day, reason, refused, last_at)
  SELECT (at AT TIME ZONE 'UTC')::date, left(c.key, 40), c.value::bigint, at
  FROM jsonb_each_text(counts) c ORDER BY c.key
  ON CONFLICT (day, reason) DO UPDATE
    SET refused = r.refused + excluded.refused, last_at = greatest(r.last_at, excluded.last_at)
$$;

REVOKE ALL ON FUNCTION sec.take_webhooks(jsonb, timestamptz),
  sec.refuse_webhooks(jsonb, timestamptz) FROM PUBLIC;
GRANT USAGE ON SCHEMA sec TO adlab_hooks;
GRANT EXECUTE ON FUNCTION sec.take_webhooks(jsonb, timestamptz),
  sec.refuse_webhooks(jsonb, timestamptz) TO adlab_hooks;
"""

VIEWS = """
CREATE VIEW api.webhook_events WITH (security_barrier) AS
  SELECT t.event_id, t.client_id, t.account_id, t.topic, t.field, t.object_id, t.value, t.sent_at,
         t.received_at, t.state, t.attempts, t.processed_at, t.outcome, t.error, t.repeats
  FROM app.webhook_event t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);

-- The newest word of Meta on each ad whose creative people have seen too often.
CREATE VIEW api.fatigue_signals WITH (security_barrier) AS
  SELECT DISTINCT ON (t.account_id, t.object_id)
         t.client_id, t.account_id, t.object_id AS ad_id,
         t.value ->> 'creative_fatigue_level' AS level,
         t.value ->> 'creative_fatigue_message' AS message, t.sent_at, t.event_id
  FROM app.webhook_event t
  WHERE t.topic = 'creative_fatigue' AND t.object_id IS NOT NULL
    AND t.client_id IN (SELECT v.client_id FROM sec.visible v)
  ORDER BY t.account_id, t.object_id, t.sent_at DESC, t.event_id DESC;
GRANT SELECT ON api.webhook_events, api.fatigue_signals TO adlab_reader;
"""


def upgrade() -> None:
    """Create the inbox, the two functions of its receiver, and what people may read of it."""
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    op.execute(VIEWS)
