-- In: person_id, client_id (or null for all). Out: the grants that were taken.
DELETE FROM sec.access a USING app.client c
WHERE c.client_id = a.client_id AND a.person_id = :person_id AND NOT a.implied
  AND (CAST(:client_id AS integer) IS NULL OR a.client_id = :client_id)
RETURNING a.client_id, c.slug, a.role, a.break_glass
