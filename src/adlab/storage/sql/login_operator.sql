-- The login that runs adlab is the local owner too, so that connect() works with its URL.
INSERT INTO sec.login (login, person_id, kind)
SELECT session_user, person_id, 'operator' FROM sec.person WHERE name = 'local owner'
ON CONFLICT (login) DO NOTHING
