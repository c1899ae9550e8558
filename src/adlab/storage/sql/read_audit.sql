-- In: actor, action (a beginning), client_id, since, words, before (an entry's number), limit; NULL
-- filters nothing. Out: entries this login may read, newest first.
SELECT a.audit_id, a.at, a.actor, a.action, k.slug, k.name AS client_name, a.details
FROM api.audit a LEFT JOIN api.clients k USING (client_id)
WHERE (CAST(:actor AS text) IS NULL OR a.actor = :actor)
  AND (CAST(:action AS text) IS NULL OR starts_with(a.action, :action))
  AND (CAST(:client_id AS integer) IS NULL OR a.client_id = :client_id)
  AND (CAST(:since AS timestamptz) IS NULL OR a.at >= :since)
  AND (CAST(:before AS bigint) IS NULL OR a.audit_id < :before)
  AND (CAST(:words AS text) IS NULL OR strpos(lower(a.details::text), lower(:words)) > 0)
ORDER BY a.audit_id DESC LIMIT :limit
