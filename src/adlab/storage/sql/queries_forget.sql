-- Forgets counts of logins that are gone.
DELETE FROM sec.query_seen q WHERE NOT EXISTS (SELECT 1 FROM sec.login l WHERE l.login = q.login)
