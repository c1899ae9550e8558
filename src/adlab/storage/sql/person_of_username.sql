-- In: username. Out: the person who may log in under it.
SELECT person_id, name, username, role FROM sec.person
WHERE username = :username AND disabled_at IS NULL
