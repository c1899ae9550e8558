-- In: name, username, role, all_clients, sees_audit. Out: person_id, or nothing when name or username is taken.
INSERT INTO sec.person (name, username, role, all_clients, sees_audit)
VALUES (:name, :username, :role, :all_clients, :sees_audit)
ON CONFLICT DO NOTHING
RETURNING person_id
