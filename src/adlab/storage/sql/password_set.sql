-- In: person_id, hash. A new password also ends a lock.
INSERT INTO sec.password (person_id, hash) VALUES (:person_id, :hash)
ON CONFLICT (person_id) DO UPDATE SET hash = excluded.hash, set_at = now(), failures = 0,
  locked_until = NULL
