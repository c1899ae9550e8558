-- Out: one row a person and grant (client columns empty without any), for an access review.
SELECT p.name, p.username, p.role AS agency_role, p.disabled_at, c.slug AS client, a.role,
       CASE WHEN a.person_id IS NULL THEN NULL WHEN a.implied THEN 'implied'
            WHEN a.break_glass THEN 'break-glass' ELSE 'granted' END AS given,
       a.granted_by, a.granted_at, a.expires_at AS until,
       coalesce(a.expires_at <= now(), false) AS expired, a.reason,
       s.last_login_at, s.last_seen_at
FROM sec.person p
LEFT JOIN sec.access a ON a.person_id = p.person_id
LEFT JOIN app.client c ON c.client_id = a.client_id
LEFT JOIN (
  SELECT actor, max(at) AS last_seen_at, max(at) FILTER (WHERE action = 'login.ok') AS last_login_at
  FROM sec.audit GROUP BY actor
) s ON s.actor = p.name
ORDER BY p.name, c.slug, a.implied, a.break_glass
