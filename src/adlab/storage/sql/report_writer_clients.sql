-- In: person_id. Out: slugs of clients whose data the person is granted now.
SELECT DISTINCT c.slug FROM sec.access g JOIN app.client c USING (client_id)
WHERE g.person_id = :person_id AND g.sees_data
  AND (g.expires_at IS NULL OR g.expires_at > now())
