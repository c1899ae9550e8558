-- In: person_id, client_id (or null). Out: notebook logins of theirs that reach it and exist.
SELECT l.login FROM sec.login l JOIN pg_roles r ON r.rolname = l.login
WHERE l.person_id = :person_id AND l.kind = 'notebook'
  AND (CAST(:client_id AS integer) IS NULL OR l.client_id IS NULL OR l.client_id = :client_id)
