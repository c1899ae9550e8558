-- In: role. Out: people of it who may log in, locked until the transaction ends.
SELECT person_id FROM sec.person WHERE role = :role AND disabled_at IS NULL
ORDER BY person_id FOR UPDATE
