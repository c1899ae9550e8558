-- In: person_id. Out: the person, unless disabled.
SELECT person_id, name, username, role FROM sec.person
WHERE person_id = :person_id AND disabled_at IS NULL
