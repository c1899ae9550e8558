-- Out: one row a person and client granted (client columns empty without a grant).
SELECT p.name, p.username, p.role, p.created_at, p.disabled_at, c.slug AS client, a.role AS client_role,
       a.expires_at, a.reason, a.granted_by, a.granted_at
FROM sec.person p
LEFT JOIN sec.access a ON a.person_id = p.person_id
LEFT JOIN app.client c ON c.client_id = a.client_id
ORDER BY p.name, c.slug
