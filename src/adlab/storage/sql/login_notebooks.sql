-- Out: logins of notebooks that have not ended, with the role of their person.
SELECT l.login, p.role FROM sec.login l
JOIN sec.person p USING (person_id) JOIN pg_roles r ON r.rolname = l.login
WHERE l.kind = 'notebook' AND (l.expires_at IS NULL OR l.expires_at > now())
