-- In: person_id, client_id, role, sees_data, plans, expires_at, reason. Out: the grant as it now stands.
INSERT INTO sec.access (person_id, client_id, role, sees_data, plans, expires_at, reason)
VALUES (:person_id, :client_id, :role, :sees_data, :plans, :expires_at, :reason)
ON CONFLICT (person_id, client_id) DO UPDATE SET
  role = excluded.role, sees_data = excluded.sees_data, plans = excluded.plans, implied = false,
  granted_at = now(), granted_by = session_user,
  expires_at = excluded.expires_at, reason = excluded.reason
RETURNING person_id
