-- Out: the first entries that do not fit the chain: chain_no, audit_id, at, problem.
SELECT chain_no, audit_id, at, problem FROM sec.audit_broken()
