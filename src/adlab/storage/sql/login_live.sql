-- In: login. Out: it with its person and one client, when it is a notebook's and still works.
SELECT l.login, p.name, l.client_id FROM sec.login l JOIN sec.person p USING (person_id)
WHERE l.login = :login AND l.kind = 'notebook' AND l.expires_at > now() AND p.disabled_at IS NULL
