-- Out: length and end of the chain: chain_no, hash (hex), newest (when its last entry was written).
SELECT h.chain_no, encode(h.hash, 'hex') AS hash,
  (SELECT a.at FROM sec.audit_chain c JOIN sec.audit a USING (audit_id)
   WHERE c.chain_no = h.chain_no) AS newest
FROM sec.audit_head h
