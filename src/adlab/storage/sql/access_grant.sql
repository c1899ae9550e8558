-- In: person_id, client_id, role, break_glass, granted_by, expires_at, reason. A new grant takes the
-- place of an earlier one of the same kind; what follows from the role is filled in by a trigger.
INSERT INTO sec.access (person_id, client_id, role, sees_data, break_glass, granted_by,
                        expires_at, reason)
VALUES (:person_id, :client_id, :role, false, :break_glass, :granted_by, :expires_at, :reason)
ON CONFLICT (person_id, client_id, implied, break_glass) DO UPDATE SET
  role = excluded.role, granted_at = now(), granted_by = excluded.granted_by,
  expires_at = excluded.expires_at, reason = excluded.reason
