"""Entries of people who type SQL wait to be linked, so that nobody can hold the chain.

Reason: linking takes a lock that lasts until the transaction ends. At a commit that is short, but
whoever types SQL can have it taken at once and stay in the transaction, and everybody who writes
an entry waits. So an entry of such a login is only fingerprinted when it is written; the next
transaction of ours, seconds later, links it. Until then a change is found by the fingerprint.
"""

from alembic import op

revision = "0023"
down_revision = "0022"

DDL = """
CREATE TABLE sec.audit_waiting (
  audit_id bigint PRIMARY KEY,
  digest   bytea NOT NULL
);

-- Whether this session is one of our own processes, not of somebody who types SQL.
CREATE FUNCTION sec.is_ours() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT pg_has_role(session_user, 'adlab_owner', 'MEMBER')
      OR pg_has_role(session_user, 'adlab_boards', 'MEMBER')
      OR pg_has_role(session_user, 'adlab_hooks', 'MEMBER')
$$;

-- Link what waits, oldest first; gives how many. What was changed meanwhile stays and is found.
CREATE FUNCTION sec.audit_link_waiting() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  entry  sec.audit;
  linked integer := 0;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM sec.audit_waiting) THEN
    RETURN 0;
  END IF;
  PERFORM 1 FROM sec.audit_head FOR UPDATE;
  FOR entry IN
    SELECT a.* FROM sec.audit a JOIN sec.audit_waiting w USING (audit_id)
    WHERE w.digest = sha256(convert_to(sec.audit_text(a), 'UTF8')) ORDER BY a.audit_id
  LOOP
    PERFORM sec.audit_link(entry);
    DELETE FROM sec.audit_waiting w WHERE w.audit_id = entry.audit_id;
    linked := linked + 1;
  END LOOP;
  RETURN linked;
END $$;

CREATE OR REPLACE FUNCTION sec.audit_linked() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF NOT sec.is_ours() THEN
    INSERT INTO sec.audit_waiting
    VALUES (NEW.audit_id, sha256(convert_to(sec.audit_text(NEW), 'UTF8')));
    RETURN NULL;
  END IF;
  PERFORM sec.audit_link_waiting();
  PERFORM sec.audit_link(NEW);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION sec.audit_broken()
RETURNS TABLE (chain_no bigint, audit_id bigint, at timestamptz, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  WITH linked AS (
    SELECT c.chain_no, c.audit_id, c.hash,
           lag(c.hash, 1, sha256('adlab audit')) OVER w AS before,
           lag(c.chain_no, 1, 0::bigint) OVER w AS number_before
    FROM sec.audit_chain c WINDOW w AS (ORDER BY c.chain_no)
  ), found AS (
    SELECT l.chain_no, l.audit_id, a.at,
      CASE WHEN l.chain_no <> l.number_before + 1
             THEN 'entries before it are missing in the chain'
           WHEN a.audit_id IS NULL THEN 'the entry was removed'
           WHEN l.hash <> sha256(l.before || convert_to(sec.audit_text(a), 'UTF8'))
             THEN 'the entry or its hash was changed' END AS problem
    FROM linked l LEFT JOIN sec.audit a USING (audit_id)
    UNION ALL
    SELECT NULL, a.audit_id, a.at, 'the entry is not in the chain'
    FROM sec.audit a LEFT JOIN sec.audit_chain c USING (audit_id)
      LEFT JOIN sec.audit_waiting w USING (audit_id)
    WHERE c.audit_id IS NULL AND w.audit_id IS NULL
    UNION ALL
    SELECT NULL, w.audit_id, a.at,
      CASE WHEN a.audit_id IS NULL THEN 'the entry was removed before it was linked'
           ELSE 'the entry was changed before it was linked' END
    FROM sec.audit_waiting w LEFT JOIN sec.audit a USING (audit_id)
    WHERE a.audit_id IS NULL OR w.digest <> sha256(convert_to(sec.audit_text(a), 'UTF8'))
    UNION ALL
    SELECT h.chain_no, NULL, NULL, 'the end of the chain was cut off or replaced'
    FROM sec.audit_head h
    WHERE h.chain_no <> coalesce((SELECT max(c.chain_no) FROM sec.audit_chain c), 0)
       OR h.hash <> coalesce(
         (SELECT c.hash FROM sec.audit_chain c ORDER BY c.chain_no DESC LIMIT 1),
         sha256('adlab audit'))
    UNION ALL
    SELECT NULL, NULL, NULL, 'the head of the chain was removed'
    WHERE NOT EXISTS (SELECT 1 FROM sec.audit_head)
  )
  SELECT f.chain_no, f.audit_id, f.at, f.problem FROM found f WHERE f.problem IS NOT NULL
  ORDER BY f.chain_no NULLS LAST, f.audit_id LIMIT 20
$$;
REVOKE ALL ON FUNCTION sec.is_ours(), sec.audit_link_waiting() FROM PUBLIC;
"""


def upgrade() -> None:
    """Let entries of people who type SQL wait."""
    op.execute(DDL)
