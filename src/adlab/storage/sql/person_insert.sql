-- In: name, role, all_clients, sees_audit. Out: person_id, or nothing when the name is taken.
INSERT INTO sec.person (name, role, all_clients, sees_audit)
VALUES (:name, :role, :all_clients, :sees_audit)
ON CONFLICT (name) DO NOTHING
RETURNING person_id
