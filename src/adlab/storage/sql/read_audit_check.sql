-- Out: what does not fit the chain, for those who may audit.
SELECT chain_no, audit_id, at, problem FROM api.audit_check()
