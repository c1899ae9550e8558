"""What a person logs in with: a username, a password, links that log in or invite.

Reason: the hub names people in addresses and folders, where a name such as "Ann Lee (analyst)"
does not belong; so each person has a username beside it.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

DDL = """
ALTER TABLE sec.person ADD COLUMN username text;
UPDATE sec.person SET username = coalesce(nullif(trim(both '-' from
    regexp_replace(lower(left(name, 40)), '[^a-z0-9]+', '-', 'g')), ''), 'person');
UPDATE sec.person p SET username = p.username || '-' || p.person_id
WHERE EXISTS (SELECT 1 FROM sec.person o
  WHERE o.username = p.username AND o.person_id < p.person_id);
ALTER TABLE sec.person ALTER COLUMN username SET NOT NULL,
  ADD CONSTRAINT person_username_key UNIQUE (username),
  ADD CONSTRAINT person_username_form CHECK (username ~ '^[a-z0-9][a-z0-9._@+-]{0,62}$');

-- `hash` is argon2id with its parameters and salt. Failures lock the password for a while.
CREATE TABLE sec.password (
  person_id    integer PRIMARY KEY REFERENCES sec.person ON DELETE CASCADE,
  hash         text NOT NULL,
  set_at       timestamptz NOT NULL DEFAULT now(),
  failures     integer NOT NULL DEFAULT 0,
  locked_until timestamptz
);

-- A link logs in at once, or lets its owner choose a password first.
ALTER TABLE sec.login_link ADD COLUMN purpose text NOT NULL DEFAULT 'login'
  CHECK (purpose IN ('login', 'password'));

-- Who calls. Inside a definer function current_user is the owner; the role that called stands in
-- the setting `role`, or is session_user where none was set.
CREATE FUNCTION sec.caller() RETURNS name LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT CASE current_setting('role') WHEN 'none' THEN session_user
              ELSE current_setting('role')::name END
$$;

-- For the boards' service alone: from a username the hub has proved to the person.
CREATE FUNCTION sec.viewer_named(wanted text)
RETURNS TABLE (person_id integer, name text, role text, login name)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT p.person_id, p.name, p.role, l.login
  FROM sec.person p JOIN sec.login l USING (person_id)
  WHERE p.username = wanted AND l.kind = 'viewer' AND p.disabled_at IS NULL
    AND (l.expires_at IS NULL OR l.expires_at > now())
$$;

-- A link that sets a password does not log in by itself.
CREATE OR REPLACE FUNCTION sec.use_login_link(hash bytea) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE sec.login_link SET used_at = now()
  WHERE nonce_hash = hash AND purpose = 'login' AND used_at IS NULL AND expires_at > now()
  RETURNING person_id
$$;

REVOKE ALL ON FUNCTION sec.caller(), sec.viewer_named(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.viewer_named(text) TO adlab_boards;
"""


def upgrade() -> None:
    """Give people usernames and passwords."""
    op.execute(DDL)
