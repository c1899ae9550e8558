-- Out: length, end, newest entry and newest signature of the log, for those who may audit.
SELECT entries, head, newest, signed_at FROM api.audit_state()
