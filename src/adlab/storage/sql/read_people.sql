-- Out: every person, for those who grant or audit, by name.
SELECT person_id, name, username, role, created_at, disabled_at, has_password, locked_until,
  active_at, notebook_logins
FROM api.people ORDER BY (disabled_at IS NOT NULL), lower(name)
