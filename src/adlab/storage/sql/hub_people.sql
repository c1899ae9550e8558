-- In: usernames (text[]). Out: one row a person who may log in and is one of them, with the clients
-- whose data they see now, as a JSON list of client_id, slug and name, by name.
SELECT p.person_id, p.name, p.username, p.role,
  coalesce((
    SELECT json_agg(json_build_object('client_id', c.client_id, 'slug', c.slug, 'name', c.name)
                    ORDER BY c.name)
    FROM app.client c
    WHERE EXISTS (
      SELECT 1 FROM sec.access a
      WHERE a.person_id = p.person_id AND a.client_id = c.client_id AND a.sees_data
        AND (a.expires_at IS NULL OR a.expires_at > now()))
  ), '[]'::json) AS clients
FROM sec.person p
WHERE p.disabled_at IS NULL AND p.username = ANY(CAST(:usernames AS text[]))
