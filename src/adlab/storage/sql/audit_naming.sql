-- In: name. Out: entries of the audit log that person wrote, or that name them; oldest first.
SELECT a.at, a.actor, a.action, c.slug AS client, a.details
FROM sec.audit a LEFT JOIN app.client c USING (client_id)
WHERE a.actor = :name
  OR jsonb_path_exists(a.details, '$.** ? (@ == $name)',
       jsonb_build_object('name', CAST(:name AS text)))
ORDER BY a.audit_id
