-- In: client_id, since, until; NULL filters nothing. Out: chain_no, hash and previous hash (hex), and
-- the text the hash covers, in the chain's order.
WITH linked AS (
  SELECT c.chain_no, c.audit_id, encode(c.hash, 'hex') AS hash,
         encode(lag(c.hash, 1, sha256('adlab audit')) OVER (ORDER BY c.chain_no), 'hex') AS previous
  FROM sec.audit_chain c
)
SELECT l.chain_no, l.previous, l.hash, sec.audit_text(a) AS text
FROM linked l JOIN sec.audit a USING (audit_id)
WHERE (CAST(:client_id AS integer) IS NULL OR a.client_id = :client_id
       OR a.clients @> ARRAY[CAST(:client_id AS integer)])
  AND (CAST(:since AS timestamptz) IS NULL OR a.at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR a.at < :until)
ORDER BY l.chain_no
