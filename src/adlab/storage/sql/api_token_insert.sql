-- In: jti, person_id, name, scopes, client_ids, created_by, expires_at.
INSERT INTO sec.api_token (jti, person_id, name, scopes, client_ids, created_by, expires_at)
VALUES (:jti, :person_id, :name, :scopes, CAST(:client_ids AS integer[]), :created_by, :expires_at)
