-- In: person_id, client_id. Out: whether a grant lets them see it now.
SELECT EXISTS (SELECT 1 FROM sec.access a
  WHERE a.person_id = :person_id AND a.client_id = :client_id AND a.sees_data
    AND (a.expires_at IS NULL OR a.expires_at > now()))
