-- Out: login of each role that a check of the isolation made, kind first dropped first.
SELECT l.login FROM sec.login l JOIN sec.person p USING (person_id)
WHERE p.username LIKE 'isolation-check-%' ORDER BY l.kind, l.login
