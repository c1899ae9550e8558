"""Tokens of the REST API, and changes that were proposed and not done.

Reason: a signed token says who and what for, but a signature cannot be taken back. So each has a
row here that is asked on every use; a token without a row is nobody's. The table holds no token,
only its number. A proposal is checked, kept and sent to nobody; whoever approves it comes later.
"""

from alembic import op

revision = "0019"
down_revision = "0018"

TOKENS = """
-- client_ids: the token sees these of its person's clients; NULL all of them.
CREATE TABLE sec.api_token (
  jti        text PRIMARY KEY CHECK (jti ~ '^[0-9a-f]{24}$'),
  person_id  integer NOT NULL REFERENCES sec.person ON DELETE CASCADE,
  name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  scopes     text[] NOT NULL CHECK (cardinality(scopes) > 0
             AND scopes <@ ARRAY['read', 'propose', 'connect', 'audit']),
  client_ids integer[] CHECK (cardinality(client_ids) > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_by text,
  used_at    timestamptz
);
CREATE INDEX api_token_person ON sec.api_token (person_id);

-- For the web process alone: the person behind a token, or why there is none. Notes the use, at
-- most once a minute.
CREATE FUNCTION sec.api_token(wanted text) RETURNS TABLE (
  state text, person_id integer, name text, role text, login name, scopes text[],
  client_ids integer[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE one sec.api_token;
BEGIN
  SELECT * INTO one FROM sec.api_token t WHERE t.jti = wanted;
  IF one.jti IS NULL THEN
    RETURN;
  END IF;
  IF one.used_at IS NULL OR one.used_at < now() - interval '1 minute' THEN
    UPDATE sec.api_token t SET used_at = now() WHERE t.jti = wanted;
  END IF;
  RETURN QUERY
    SELECT CASE WHEN one.revoked_at IS NOT NULL THEN 'revoked'
                WHEN one.expires_at <= now() THEN 'expired'
                WHEN p.disabled_at IS NOT NULL THEN 'disabled'
                WHEN l.login IS NULL THEN 'disabled'
                ELSE 'ok' END,
           p.person_id, p.name, p.role, l.login, one.scopes, one.client_ids
    FROM sec.person p
    LEFT JOIN sec.login l ON l.person_id = p.person_id AND l.kind = 'viewer'
      AND (l.expires_at IS NULL OR l.expires_at > now())
    WHERE p.person_id = one.person_id;
END $$;
REVOKE ALL ON FUNCTION sec.api_token(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.api_token(text) TO adlab_boards;
"""

PROPOSALS = """
-- change: parameters, as in the journal; before, wanted: fields of the object when it was proposed.
CREATE TABLE app.change_proposal (
  proposal_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id   integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  account_id  bigint NOT NULL REFERENCES app.account ON DELETE CASCADE,
  level       smallint NOT NULL CHECK (level BETWEEN 2 AND 4),
  object_id   bigint NOT NULL,
  kind        text NOT NULL CHECK (kind IN ('status', 'budget')),
  change      jsonb NOT NULL,
  before      jsonb NOT NULL,
  wanted      jsonb NOT NULL,
  state       text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'replaced')),
  reason      text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
  proposed_by text NOT NULL,
  token       text,
  proposed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX change_proposal_client ON app.change_proposal (client_id, proposal_id DESC);
CREATE UNIQUE INDEX change_proposal_open ON app.change_proposal (account_id, object_id, kind)
  WHERE state = 'proposed';

CREATE VIEW api.change_proposals WITH (security_barrier) AS
  SELECT t.proposal_id, t.client_id, t.account_id, t.level, t.object_id, t.kind, t.change,
         t.before, t.wanted, t.state, t.reason, t.proposed_by, t.proposed_at
  FROM app.change_proposal t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);

-- Keep a proposal of the caller; an older one of the same kind for the same object gives way.
-- what: account_id, object_id, kind, change, before, wanted, reason, token. Nothing is sent.
CREATE FUNCTION api.propose_change(what jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  one   record;
  found app.object;
  who   text;
  made  bigint;
BEGIN
  IF length(what::text) > 8000 THEN
    RAISE EXCEPTION 'a proposal has at most 8000 characters' USING ERRCODE = '22023';
  END IF;
  SELECT * INTO one FROM jsonb_to_record(what) AS e(
    account_id bigint, object_id bigint, kind text, change jsonb, before jsonb, wanted jsonb,
    reason text, token text);
  SELECT p.name INTO who FROM sec.login l JOIN sec.person p USING (person_id)
  WHERE l.login = sec.caller() AND p.disabled_at IS NULL
    AND (l.expires_at IS NULL OR l.expires_at > now());
  SELECT o.* INTO found FROM app.object o
  WHERE o.account_id = one.account_id AND o.object_id = one.object_id
    AND o.level BETWEEN 2 AND 4 AND o.vanished_at IS NULL
    AND sec.may(o.client_id, 'see_data');
  IF who IS NULL OR found.object_id IS NULL THEN
    RAISE EXCEPTION 'there is no such object that you may see' USING ERRCODE = 'no_data_found';
  END IF;
  IF NOT sec.may(found.client_id, 'propose') THEN
    RAISE EXCEPTION 'your role on this client does not include proposals'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  -- Reason: whoever approves reads a change as it will be sent; nothing else may stand in it.
  IF NOT coalesce(CASE one.kind
      WHEN 'status' THEN one.change ->> 'status' IN ('ACTIVE', 'PAUSED')
      WHEN 'budget' THEN found.level < 4 AND one.change ->> 'period' IN ('daily', 'lifetime')
        AND one.change ->> 'amount' ~ '^[0-9]{1,13}([.][0-9]{1,2})?$'
        AND (one.change ->> 'amount')::numeric > 0 END, false) THEN
    RAISE EXCEPTION 'this is no change of status or budget' USING ERRCODE = '22023';
  END IF;
  UPDATE app.change_proposal t SET state = 'replaced'
  WHERE t.account_id = found.account_id AND t.object_id = found.object_id AND t.kind = one.kind
    AND t.state = 'proposed';
  INSERT INTO app.change_proposal
    (client_id, account_id, level, object_id, kind, change, before, wanted, reason, proposed_by,
     token)
  VALUES (found.client_id, found.account_id, found.level, found.object_id, one.kind, one.change,
    coalesce(one.before, '{}'), coalesce(one.wanted, '{}'), one.reason, who, one.token)
  RETURNING proposal_id INTO made;
  INSERT INTO sec.audit (login, actor, action, client_id, details)
  VALUES (sec.caller(), who, 'change.proposed', found.client_id, jsonb_build_object(
    'proposal_id', made, 'kind', one.kind, 'account_id', found.account_id, 'object_id',
    found.object_id, 'change', one.change, 'reason', one.reason, 'token', one.token));
  RETURN made;
END $$;
REVOKE ALL ON FUNCTION api.propose_change(jsonb) FROM PUBLIC;
GRANT SELECT ON api.change_proposals TO adlab_reader;
GRANT EXECUTE ON FUNCTION api.propose_change(jsonb) TO adlab_reader;
"""


def upgrade() -> None:
    """Create tokens and proposals."""
    op.execute(TOKENS)
    op.execute(PROPOSALS)
