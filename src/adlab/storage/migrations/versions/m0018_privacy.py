"""Retention, erasure, off-boarding: what the store must know so that it can forget.

Reason: a backup cannot be edited, so what is personal in it must need a key that can be destroyed.
Each client has a key of its own, in a file outside the database; here stands only its name and how
to recognise it. Retention is a row a client, narrower than the default or absent. Off-boarding is a
row that outlives its client: how far it came, and the certificate.
"""

from alembic import op

revision = "0018"
down_revision = "0017"

KEYS = """
-- key_name: name of the file that holds the key. fingerprint: NULL until the key is made.
CREATE TABLE sec.client_key (
  client_id   integer PRIMARY KEY,
  key_name    uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  fingerprint text,
  made_at     timestamptz
);
INSERT INTO sec.client_key (client_id) SELECT client_id FROM app.client;

CREATE FUNCTION sec.name_client_key() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO sec.client_key (client_id) VALUES (NEW.client_id) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.name_client_key() FROM PUBLIC;
CREATE TRIGGER client_has_key AFTER INSERT ON app.client
  FOR EACH ROW EXECUTE FUNCTION sec.name_client_key();
"""

# Reason: events that wait while this runs stay readable; new ones are sealed, old ones by the
# nightly job.
OUTBOX = """
ALTER TABLE app.conversion_event ADD COLUMN payload_sealed bytea;
DO $do$
DECLARE found record;
BEGIN
  FOR found IN SELECT conname FROM pg_constraint WHERE conrelid = 'app.conversion_event'::regclass
      AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%payload%'
  LOOP
    EXECUTE format('ALTER TABLE app.conversion_event DROP CONSTRAINT %I', found.conname);
  END LOOP;
END $do$;
ALTER TABLE app.conversion_event
  ADD CONSTRAINT conversion_event_queued_is_whole CHECK (state <> 'queued' OR (
    (payload IS NOT NULL OR payload_sealed IS NOT NULL) AND event_name IS NOT NULL
    AND event_id IS NOT NULL AND event_time IS NOT NULL AND expires_at IS NOT NULL)),
  ADD CONSTRAINT conversion_event_settled_is_erased CHECK (
    state = 'queued' OR (payload IS NULL AND payload_sealed IS NULL));
"""

RETENTION = """
-- NULL stands for the default; a number is never above it.
CREATE TABLE app.retention (
  client_id       integer PRIMARY KEY REFERENCES app.client ON DELETE CASCADE,
  insights_months smallint CHECK (insights_months BETWEEN 2 AND 37),
  raw_days        smallint CHECK (raw_days BETWEEN 7 AND 90),
  webhooks_days   smallint CHECK (webhooks_days BETWEEN 1 AND 30),
  set_by          text NOT NULL,
  set_at          timestamptz NOT NULL DEFAULT now()
);
"""

OFFBOARDING = """
-- step: what was finished last. plan, exported, revoked, purged: what each step counted.
-- sha256: of the export's manifest. The row stays when the client is gone: it is the proof, and
-- keeps the slug from being given to somebody else.
CREATE TABLE app.offboarding (
  offboarding_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id       integer NOT NULL UNIQUE,
  slug            text NOT NULL UNIQUE,
  name            text NOT NULL,
  step            text NOT NULL DEFAULT 'begun' CHECK (step IN ('begun', 'stopped', 'exported',
                  'verified', 'revoked', 'purged', 'shredded', 'done')),
  actor           text NOT NULL,
  folder          text NOT NULL,
  begun_at        timestamptz NOT NULL,
  done_at         timestamptz,
  accounts        bigint[] NOT NULL DEFAULT '{}',
  key_name        uuid NOT NULL,
  key_fingerprint text,
  manifest_sha256 text,
  exported        jsonb,
  revoked         jsonb,
  purged          jsonb,
  certificate     jsonb,
  CHECK ((step = 'done') = (done_at IS NOT NULL))
);

-- The slug of a client that was off-boarded stands in certificates and audit rows for ever.
CREATE FUNCTION app.refuse_former_slug() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM app.offboarding o WHERE o.slug = NEW.slug
             AND o.client_id <> NEW.client_id) THEN
    RAISE EXCEPTION 'a client % was off-boarded; its slug stays taken', quote_literal(NEW.slug)
      USING ERRCODE = 'unique_violation';
  END IF;
  RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION app.refuse_former_slug() FROM PUBLIC;
CREATE TRIGGER client_slug_is_free BEFORE INSERT OR UPDATE OF slug ON app.client
  FOR EACH ROW EXECUTE FUNCTION app.refuse_former_slug();
"""


def upgrade() -> None:
    """Create keys' names, sealed payloads, retention and off-boarding."""
    op.execute(KEYS)
    op.execute(OUTBOX)
    op.execute(RETENTION)
    op.execute(OFFBOARDING)
