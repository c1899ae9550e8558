"""People, clients and who may see whom.

Reason: isolation is decided before the first fact is stored. People read views in `api` only,
filtered by their login role; `app` and `sec` are granted to nobody (decisions 3 and 4).
"""

from alembic import op

revision = "0001"
down_revision = None

DDL = """
CREATE TABLE app.client (
  client_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slug       text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  currency   text CHECK (currency ~ '^[A-Z]{3}$'),
  timezone   text,
  status     text NOT NULL DEFAULT 'active',
  brand      jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sec.person (
  person_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name        text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
  role        text NOT NULL,
  all_clients boolean NOT NULL DEFAULT false,
  sees_audit  boolean NOT NULL DEFAULT false,
  created_at  timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz
);

CREATE TABLE sec.access (
  person_id  integer NOT NULL REFERENCES sec.person ON DELETE CASCADE,
  client_id  integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  role       text NOT NULL,
  sees_data  boolean NOT NULL,
  implied    boolean NOT NULL DEFAULT false,
  granted_at timestamptz NOT NULL DEFAULT now(),
  granted_by text NOT NULL DEFAULT session_user,
  expires_at timestamptz,
  reason     text NOT NULL DEFAULT 'none given',
  PRIMARY KEY (person_id, client_id)
);

-- People and logins are two tables: logins rotate, people stay.
CREATE TABLE sec.login (
  login      name PRIMARY KEY,
  person_id  integer NOT NULL REFERENCES sec.person ON DELETE CASCADE,
  kind       text NOT NULL CHECK (kind IN ('operator', 'viewer', 'notebook')),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz
);

CREATE TABLE sec.login_link (
  nonce_hash bytea PRIMARY KEY,
  person_id  integer NOT NULL REFERENCES sec.person ON DELETE CASCADE,
  expires_at timestamptz NOT NULL,
  used_at    timestamptz
);

CREATE TABLE sec.audit (
  audit_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  login     name NOT NULL DEFAULT session_user,
  actor     text NOT NULL,
  action    text NOT NULL,
  client_id integer,
  details   jsonb NOT NULL DEFAULT '{}'
);

CREATE FUNCTION sec.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sec.audit
  FOR EACH STATEMENT EXECUTE FUNCTION sec.refuse_change();

-- People of an agency-wide role see every client, also the ones added later.
CREATE FUNCTION sec.imply_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'client' THEN
    INSERT INTO sec.access (person_id, client_id, role, sees_data, implied, reason)
    SELECT person_id, NEW.client_id, role, true, true, 'role sees every client'
    FROM sec.person WHERE all_clients
    ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM sec.access WHERE person_id = NEW.person_id AND implied AND NOT NEW.all_clients;
    INSERT INTO sec.access (person_id, client_id, role, sees_data, implied, reason)
    SELECT NEW.person_id, client_id, NEW.role, true, true, 'role sees every client'
    FROM app.client WHERE NEW.all_clients
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER client_implies_access AFTER INSERT ON app.client
  FOR EACH ROW EXECUTE FUNCTION sec.imply_access();
CREATE TRIGGER person_implies_access AFTER INSERT OR UPDATE OF role, all_clients ON sec.person
  FOR EACH ROW EXECUTE FUNCTION sec.imply_access();

-- The one filter of the product: which clients the current login may see, now.
CREATE VIEW sec.visible AS
  SELECT a.client_id
  FROM sec.access a
  JOIN sec.login l USING (person_id)
  JOIN sec.person p USING (person_id)
  WHERE l.login = current_user
    AND a.sees_data
    AND p.disabled_at IS NULL
    AND (l.expires_at IS NULL OR l.expires_at > now())
    AND (a.expires_at IS NULL OR a.expires_at > now());

INSERT INTO sec.person (name, role, all_clients, sees_audit)
VALUES ('local owner', 'owner', true, true);
INSERT INTO sec.login (login, person_id, kind)
SELECT 'adlab_owner', person_id, 'operator' FROM sec.person;
"""


def upgrade() -> None:
    """Create clients, people, grants, logins and the audit log."""
    op.execute(DDL)
