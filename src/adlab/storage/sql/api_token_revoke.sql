-- In: jti, by. Out: name and person_id of the token revoked; nothing when there is none that holds.
UPDATE sec.api_token SET revoked_at = now(), revoked_by = :by
WHERE jti = :jti AND revoked_at IS NULL
RETURNING name, person_id
