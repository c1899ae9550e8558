"""The audit log as a chain, what people's programs may add to it, and who reads it.

Reason: each entry's hash covers its own text and the hash before it, so a changed, dropped or
slipped-in entry is found. Entries are linked when their transaction commits, under one short lock:
what happened stands in the chain in the order it became true. The chain is a table of its own, so
that the log itself stays append-only without exception.
"""

from alembic import op

revision = "0017"
down_revision = "0016"

TABLES = """
-- clients: the entry is about several clients; each may see it, none sees this list.
ALTER TABLE sec.audit ADD COLUMN clients integer[];
CREATE INDEX audit_at ON sec.audit (at);
CREATE INDEX audit_client ON sec.audit (client_id, at) WHERE client_id IS NOT NULL;
CREATE INDEX audit_clients ON sec.audit USING gin (clients) WHERE clients IS NOT NULL;

CREATE TABLE sec.audit_chain (
  chain_no bigint PRIMARY KEY,
  audit_id bigint NOT NULL UNIQUE,
  hash     bytea NOT NULL
);
-- One row: how long the chain is and how it ends, so that a cut end is found.
CREATE TABLE sec.audit_head (
  is_head  boolean PRIMARY KEY DEFAULT true CHECK (is_head),
  chain_no bigint NOT NULL,
  hash     bytea NOT NULL
);
INSERT INTO sec.audit_head (chain_no, hash) VALUES (0, sha256('adlab audit'));

-- The chain as it was at a time, signed with a key that is not in the database.
CREATE TABLE sec.audit_anchor (
  chain_no  bigint PRIMARY KEY,
  hash      bytea NOT NULL,
  signature bytea NOT NULL,
  signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How often each statement of a notebook's login was counted already.
CREATE TABLE sec.query_seen (
  login       name NOT NULL,
  query_id    bigint NOT NULL,
  calls       bigint NOT NULL,
  rows        bigint NOT NULL,
  stats_since timestamptz NOT NULL,
  PRIMARY KEY (login, query_id)
);

CREATE FUNCTION sec.audit_text(entry sec.audit) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  -- Reason: everything an entry says, spelt the same whatever the session's settings are.
  SELECT jsonb_build_array(entry.audit_id,
    to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), entry.login::text,
    entry.actor, entry.action, entry.client_id, to_jsonb(entry.clients), entry.details)::text
$$;

CREATE FUNCTION sec.audit_link(entry sec.audit) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  head sec.audit_head;
  next bytea;
BEGIN
  SELECT * INTO STRICT head FROM sec.audit_head FOR UPDATE;
  next := sha256(head.hash || convert_to(sec.audit_text(entry), 'UTF8'));
  INSERT INTO sec.audit_chain VALUES (head.chain_no + 1, entry.audit_id, next);
  UPDATE sec.audit_head SET chain_no = head.chain_no + 1, hash = next;
END $$;

CREATE FUNCTION sec.audit_linked() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  PERFORM sec.audit_link(NEW);
  RETURN NULL;
END $$;

DO $$
DECLARE entry sec.audit;
BEGIN
  FOR entry IN SELECT * FROM sec.audit ORDER BY audit_id LOOP
    PERFORM sec.audit_link(entry);
  END LOOP;
END $$;

-- Reason: deferred to the commit, so that a long transaction does not hold up everybody's entries.
CREATE CONSTRAINT TRIGGER audit_is_chained AFTER INSERT ON sec.audit
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sec.audit_linked();
CREATE TRIGGER chain_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sec.audit_chain
  FOR EACH STATEMENT EXECUTE FUNCTION sec.refuse_change();
CREATE TRIGGER anchor_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sec.audit_anchor
  FOR EACH STATEMENT EXECUTE FUNCTION sec.refuse_change();
CREATE TRIGGER head_stays BEFORE DELETE OR TRUNCATE ON sec.audit_head
  FOR EACH STATEMENT EXECUTE FUNCTION sec.refuse_change();
"""

API = """
-- Who may audit reads all of it; everyone else what concerns the clients they see.
CREATE OR REPLACE VIEW api.audit WITH (security_barrier) AS
  SELECT t.audit_id, t.at, t.actor, t.action, t.client_id, t.details FROM sec.audit t
  WHERE EXISTS (SELECT 1 FROM sec.login l JOIN sec.person p USING (person_id)
      WHERE l.login = current_user AND p.sees_audit AND p.disabled_at IS NULL
        AND (l.expires_at IS NULL OR l.expires_at > now()))
    OR t.client_id IN (SELECT v.client_id FROM sec.visible v)
    OR t.clients && ARRAY(SELECT v.client_id FROM sec.visible v);

-- What a person's own program may write down: reading and taking away, in their own name.
-- Gives false when they write more than 600 entries a minute.
CREATE FUNCTION api.note(wanted text, slugs text[], what jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  mine  name := sec.caller();
  who   text;
  about integer[];
BEGIN
  SELECT p.name INTO who FROM sec.login l JOIN sec.person p USING (person_id)
    WHERE l.login = mine AND p.disabled_at IS NULL
      AND (l.expires_at IS NULL OR l.expires_at > now());
  IF who IS NULL THEN
    RAISE EXCEPTION 'this login is unknown or has expired' USING ERRCODE = '42501';
  END IF;
  IF NOT wanted = ANY (ARRAY['api.call', 'board.view', 'export.csv', 'export.file', 'export.xlsx',
      'notebook.query', 'overview.view', 'page.view', 'report.view']) THEN
    RAISE EXCEPTION 'people may not note %', left(wanted, 40) USING ERRCODE = '22023';
  END IF;
  IF jsonb_typeof(what) <> 'object' OR length(what::text) > 4000 THEN
    RAISE EXCEPTION 'details are an object of at most 4000 characters' USING ERRCODE = '22023';
  END IF;
  SELECT array_agg(c.client_id ORDER BY c.client_id) INTO about FROM app.client c
    WHERE c.slug = ANY (slugs) AND c.client_id IN (
      SELECT s.client_id FROM sec.standing s WHERE s.login = mine AND s.sees_data);
  IF coalesce(cardinality(about), 0) < coalesce(
      (SELECT count(DISTINCT s) FROM unnest(slugs) s), 0) THEN
    RAISE EXCEPTION 'there is no such client' USING ERRCODE = '42501';
  END IF;
  IF (SELECT count(*) FROM sec.audit t
      WHERE t.at > clock_timestamp() - interval '1 minute' AND t.login = mine) >= 600 THEN
    RETURN false;
  END IF;
  INSERT INTO sec.audit (login, actor, action, client_id, clients, details)
  VALUES (mine, who, wanted, CASE WHEN cardinality(about) = 1 THEN about[1] END,
    CASE WHEN cardinality(about) > 1 THEN about END, what);
  RETURN true;
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sec, api FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.note(text, text[], jsonb) TO adlab_reader;
"""


def upgrade() -> None:
    """Chain what is there, and everything from now on."""
    op.execute(TABLES)
    op.execute(API)
