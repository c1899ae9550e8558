"""Connections that are looked after: who made them, when they were asked about, what is wrong.

A connection outlives its token: when the user at Meta removes the app, the token is deleted and
the row says so. Beside it the dialogs with Meta that are under way, invitations for clients to
connect by themselves, and requests of Meta's users to delete their data. Links and states are kept
as hashes only; all of it is in `sec`, which nobody who reads is granted.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

DDL = """
ALTER TABLE sec.connection
  ALTER COLUMN token_sealed DROP NOT NULL,
  ADD COLUMN meta_user_name    text,
  ADD COLUMN connected_by      text,
  ADD COLUMN facts_at          timestamptz,
  ADD COLUMN exchange_tried_at timestamptz,
  ADD COLUMN exchanged_at      timestamptz,
  ADD COLUMN warning           text,
  ADD CONSTRAINT connection_ok_has_token CHECK (status <> 'ok' OR token_sealed IS NOT NULL);
CREATE INDEX connection_user ON sec.connection (meta_user_id);

CREATE OR REPLACE VIEW api.connections WITH (security_barrier) AS
  SELECT t.connection_id, t.client_id, t.token_type, t.scopes, t.expires_at, t.status,
         t.status_reason, t.checked_at, t.data_expires_at, t.warning, t.meta_user_name,
         t.connected_by
  FROM sec.connection t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);

CREATE TABLE sec.connect_invite (
  invite_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id  integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  nonce_hash bytea NOT NULL UNIQUE,
  write      boolean NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at    timestamptz,
  revoked_at timestamptz
);
CREATE INDEX connect_invite_client ON sec.connect_invite (client_id);

-- One dialog with Meta: begun by a person or through an invitation, in one browser. The token is
-- there, sealed, between the callback and the choice of accounts, and at no other time.
CREATE TABLE sec.connect_attempt (
  attempt_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  state_hash   bytea NOT NULL UNIQUE,
  browser_hash bytea NOT NULL,
  client_id    integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  person_id    integer REFERENCES sec.person ON DELETE CASCADE,
  invite_id    integer REFERENCES sec.connect_invite ON DELETE CASCADE,
  write        boolean NOT NULL,
  redirect_uri text NOT NULL,
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  answered_at  timestamptz,
  done_at      timestamptz,
  token_sealed bytea,
  meta_user_id text,
  facts        jsonb,
  CHECK ((person_id IS NULL) <> (invite_id IS NULL))
);
CREATE INDEX connect_attempt_browser ON sec.connect_attempt (browser_hash);

-- user_hash tells a repeated request from a new one after the id itself is gone.
CREATE TABLE sec.deletion_request (
  request_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code         text NOT NULL UNIQUE,
  user_hash    bytea NOT NULL,
  meta_user_id text,
  requested_at timestamptz NOT NULL,
  done_at      timestamptz,
  deleted      jsonb,
  CHECK ((done_at IS NULL) = (meta_user_id IS NOT NULL))
);
CREATE INDEX deletion_request_user ON sec.deletion_request (user_hash);
CREATE UNIQUE INDEX deletion_request_open ON sec.deletion_request (user_hash)
  WHERE done_at IS NULL;
"""


def upgrade() -> None:
    """Widen connections, and create what dialogs, invitations and deletions need."""
    op.execute(DDL)
