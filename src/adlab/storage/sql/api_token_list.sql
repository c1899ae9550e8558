-- In: person_id or null. Out: tokens of the REST API, newest first; no token itself.
SELECT t.jti, t.name, p.name AS person, p.username, t.scopes, t.created_at, t.created_by,
       t.expires_at, t.used_at, t.revoked_at,
       CASE WHEN t.client_ids IS NULL THEN NULL ELSE ARRAY(
         SELECT c.slug FROM app.client c WHERE c.client_id = ANY (t.client_ids) ORDER BY c.slug)
       END AS clients,
       CASE WHEN t.revoked_at IS NOT NULL THEN 'revoked' WHEN t.expires_at <= now() THEN 'expired'
            WHEN p.disabled_at IS NOT NULL THEN 'disabled' ELSE 'ok' END AS state
FROM sec.api_token t JOIN sec.person p USING (person_id)
WHERE CAST(:person_id AS integer) IS NULL OR t.person_id = :person_id
ORDER BY t.created_at DESC, t.jti
