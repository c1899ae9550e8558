-- In: login, person_id, kind, expires_at.
INSERT INTO sec.login (login, person_id, kind, expires_at)
VALUES (:login, :person_id, :kind, :expires_at)
