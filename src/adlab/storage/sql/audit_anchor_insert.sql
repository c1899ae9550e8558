-- In: chain_no, hash, signature. Keeps a signed state of the chain, once.
INSERT INTO sec.audit_anchor (chain_no, hash, signature) VALUES (:chain_no, :hash, :signature)
ON CONFLICT DO NOTHING
