"""Accounts, their objects with change history, connections, and how far syncing came.

Reason: entity tables keep the newest state, the history keeps every tracked value with the time it
was seen; a trigger writes it, so that no writer can forget it.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

DDL = """
CREATE TABLE sec.connection (
  connection_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id       integer NOT NULL REFERENCES app.client,
  token_sealed    bytea NOT NULL,
  app_id          text,
  meta_user_id    text,
  token_type      text,
  scopes          text[] NOT NULL DEFAULT '{}',
  expires_at      timestamptz,
  data_expires_at timestamptz,
  status          text NOT NULL DEFAULT 'ok' CHECK (status IN ('ok', 'reauth_required', 'revoked')),
  status_reason   text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  checked_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE app.account (
  account_id     bigint PRIMARY KEY,
  client_id      integer NOT NULL REFERENCES app.client,
  name           text NOT NULL,
  currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  timezone       text NOT NULL,
  account_status integer NOT NULL DEFAULT 1,
  disable_reason integer NOT NULL DEFAULT 0,
  source         text NOT NULL CHECK (source IN ('meta', 'import')),
  connection_id  integer REFERENCES sec.connection,
  extra          jsonb NOT NULL DEFAULT '{}',
  created_at     timestamptz NOT NULL DEFAULT now(),
  seen_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON app.account (client_id);

-- level: 2 campaign, 3 ad set, 4 ad, 5 creative; budgets in Meta's offset units of the currency.
CREATE TABLE app.object (
  client_id             integer NOT NULL,
  account_id            bigint NOT NULL REFERENCES app.account,
  level                 smallint NOT NULL CHECK (level BETWEEN 2 AND 5),
  object_id             bigint NOT NULL,
  campaign_id           bigint,
  ad_set_id             bigint,
  creative_id           bigint,
  name                  text NOT NULL,
  status                text,
  effective_status      text,
  objective             text,
  optimization_goal     text,
  bid_strategy          text,
  daily_budget_minor    bigint,
  lifetime_budget_minor bigint,
  created_at            timestamptz,
  updated_at            timestamptz,
  start_at              timestamptz,
  stop_at               timestamptz,
  extra                 jsonb,
  first_seen_at         timestamptz NOT NULL DEFAULT now(),
  seen_at               timestamptz NOT NULL DEFAULT now(),
  vanished_at           timestamptz,
  PRIMARY KEY (account_id, level, object_id)
);
CREATE INDEX ON app.object (client_id, level);
CREATE INDEX ON app.object (object_id);

-- level 0 is the client itself (object_id = client_id), 1 the account.
CREATE TABLE app.object_history (
  client_id  integer NOT NULL,
  account_id bigint NOT NULL,
  level      smallint NOT NULL,
  object_id  bigint NOT NULL,
  valid_from timestamptz NOT NULL,
  valid_to   timestamptz,
  state      jsonb NOT NULL,
  PRIMARY KEY (account_id, level, object_id, valid_from)
);
CREATE INDEX ON app.object_history (client_id, level);

CREATE FUNCTION app.keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  state  jsonb;
  acct   bigint;
  lvl    smallint;
  obj    bigint;
  opened timestamptz;
  at     timestamptz := clock_timestamp();
BEGIN
  IF TG_TABLE_NAME = 'client' THEN
    state := jsonb_build_object('name', NEW.name, 'slug', NEW.slug, 'currency', NEW.currency,
      'timezone', NEW.timezone, 'status', NEW.status);
    acct := 0; lvl := 0; obj := NEW.client_id;
  ELSIF TG_TABLE_NAME = 'account' THEN
    state := jsonb_build_object('name', NEW.name, 'currency', NEW.currency,
      'client_id', NEW.client_id,
      'timezone', NEW.timezone, 'account_status', NEW.account_status,
      'disable_reason', NEW.disable_reason);
    acct := NEW.account_id; lvl := 1; obj := NEW.account_id;
  ELSE
    state := jsonb_build_object('name', NEW.name, 'status', NEW.status,
      'effective_status', NEW.effective_status, 'objective', NEW.objective,
      'optimization_goal', NEW.optimization_goal, 'bid_strategy', NEW.bid_strategy,
      'daily_budget_minor', NEW.daily_budget_minor,
      'lifetime_budget_minor', NEW.lifetime_budget_minor, 'campaign_id', NEW.campaign_id,
      'ad_set_id', NEW.ad_set_id, 'creative_id', NEW.creative_id, 'start_at', NEW.start_at,
      'stop_at', NEW.stop_at, 'extra', NEW.extra);
    acct := NEW.account_id; lvl := NEW.level; obj := NEW.object_id;
  END IF;
  SELECT h.valid_from INTO opened FROM app.object_history h
    WHERE h.account_id = acct AND h.level = lvl AND h.object_id = obj AND h.valid_to IS NULL;
  IF opened IS NOT NULL THEN
    IF (SELECT h.state FROM app.object_history h WHERE h.account_id = acct AND h.level = lvl
          AND h.object_id = obj AND h.valid_from = opened) = state THEN
      RETURN NULL;
    END IF;
    UPDATE app.object_history h SET valid_to = at
      WHERE h.account_id = acct AND h.level = lvl AND h.object_id = obj AND h.valid_from = opened;
  END IF;
  INSERT INTO app.object_history VALUES (NEW.client_id, acct, lvl, obj, at, NULL, state);
  RETURN NULL;
END $$;
CREATE TRIGGER keep_history AFTER INSERT OR UPDATE ON app.client
  FOR EACH ROW EXECUTE FUNCTION app.keep_history();
CREATE TRIGGER keep_history AFTER INSERT OR UPDATE ON app.account
  FOR EACH ROW EXECUTE FUNCTION app.keep_history();
CREATE TRIGGER keep_history AFTER INSERT OR UPDATE ON app.object
  FOR EACH ROW EXECUTE FUNCTION app.keep_history();

-- One row an account and level: what is loaded, checked and settled. `level` 0 with kind
-- 'objects' stands for the entities of the account.
CREATE TABLE app.sync_state (
  account_id  bigint NOT NULL REFERENCES app.account,
  kind        text NOT NULL CHECK (kind IN ('objects', 'insights')),
  level       smallint NOT NULL,
  client_id   integer NOT NULL,
  since       date,
  until       date,
  checked_at  timestamptz,
  changed_at  timestamptz,
  status      text NOT NULL DEFAULT 'ok',
  error       text,
  PRIMARY KEY (account_id, kind, level)
);

CREATE TABLE app.sync_run (
  run_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  asked       jsonb NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  outcome     text NOT NULL DEFAULT 'running',
  rows        bigint NOT NULL DEFAULT 0,
  calls       integer NOT NULL DEFAULT 0
);

CREATE TABLE app.sync_slice (
  run_id       bigint NOT NULL REFERENCES app.sync_run ON DELETE CASCADE,
  account_id   bigint NOT NULL,
  level        smallint NOT NULL,
  since        date NOT NULL,
  until        date NOT NULL,
  rows         bigint NOT NULL,
  committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account_id, level, since, until, run_id)
);

CREATE TABLE app.import_file (
  import_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id   integer NOT NULL REFERENCES app.client,
  account_id  bigint NOT NULL REFERENCES app.account,
  file_name   text NOT NULL,
  sha256      text NOT NULL,
  mapping     jsonb NOT NULL,
  level       smallint NOT NULL,
  since       date,
  until       date,
  rows        integer NOT NULL,
  bad_rows    integer NOT NULL DEFAULT 0,
  imported_at timestamptz NOT NULL DEFAULT now(),
  imported_by text NOT NULL DEFAULT session_user,
  undone_at   timestamptz
);
CREATE INDEX ON app.import_file (client_id, file_name);
"""


def upgrade() -> None:
    """Create accounts, objects, their history, connections, sync bookkeeping and imports."""
    op.execute(DDL)
