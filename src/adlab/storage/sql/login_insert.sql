-- In: login, person_id, kind, expires_at, client_id (of the one client it is for, or null).
INSERT INTO sec.login (login, person_id, kind, expires_at, client_id)
VALUES (:login, :person_id, :kind, :expires_at, :client_id)
