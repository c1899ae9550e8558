-- Out: how long the audit chain is, and the hash it ends with.
SELECT chain_no, hash FROM sec.audit_head
