-- Out: signed states of the chain with what stands there now: chain_no, hash, signature, signed_at, now_hash.
SELECT n.chain_no, n.hash, n.signature, n.signed_at, c.hash AS now_hash
FROM sec.audit_anchor n LEFT JOIN sec.audit_chain c USING (chain_no) ORDER BY n.chain_no
