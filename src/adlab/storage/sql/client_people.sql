-- In: client_id. Out: people with a grant of their own on a client, and whether they have one
-- elsewhere or a role of the agency.
SELECT DISTINCT p.person_id, p.name, p.username, p.role, a.role AS granted, a.expires_at,
  a.granted_by, a.reason,
  p.role NOT IN ('client_viewer', 'client_approver') AND p.username NOT LIKE 'report-writer-%'
    OR EXISTS (SELECT 1 FROM sec.access o
      WHERE o.person_id = p.person_id AND o.client_id <> :client_id) AS elsewhere
FROM sec.access a JOIN sec.person p USING (person_id)
WHERE a.client_id = :client_id AND NOT a.implied ORDER BY p.name
