-- Out: the first entries that do not fit the chain: chain_no, audit_id, at, problem.
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
  FROM sec.audit a LEFT JOIN sec.audit_chain c USING (audit_id) WHERE c.audit_id IS NULL
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
SELECT chain_no, audit_id, at, problem FROM found WHERE problem IS NOT NULL
ORDER BY chain_no NULLS LAST, audit_id LIMIT 20
