-- Out: every grant, ended ones included, for those who grant or audit.
SELECT person_id, client_id, slug, client_name, role, granted_at, granted_by, expires_at, reason,
  implied, break_glass
FROM api.grants ORDER BY client_name, person_id
