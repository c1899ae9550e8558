-- In: who (username or name). Out: the person, and their password's hash, locked for this
-- transaction so that guesses made side by side are counted one by one.
SELECT p.person_id, p.name, p.username, p.role, w.hash, w.locked_until, w.locked_until > now() AS locked
FROM sec.person p JOIN sec.password w USING (person_id)
WHERE (p.username = :who OR p.name = :who) AND p.disabled_at IS NULL
ORDER BY p.username = :who DESC LIMIT 1
FOR UPDATE OF w
