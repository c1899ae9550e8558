-- In: name, username, role. Out: person_id, or nothing when name or username is taken.
-- The columns that follow from the role are filled in by a trigger.
INSERT INTO sec.person (name, username, role)
VALUES (:name, :username, :role)
ON CONFLICT DO NOTHING
RETURNING person_id
