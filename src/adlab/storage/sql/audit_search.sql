-- In: actor, action (a beginning), client_id, since, until, words (in details), newest_first's limit.
-- Out: at, actor, action, client, details, chain_no, audit_id, newest first. NULL filters nothing.
SELECT a.at, a.actor, a.action, k.slug AS client, a.details, c.chain_no, a.audit_id
FROM sec.audit a
LEFT JOIN sec.audit_chain c USING (audit_id)
LEFT JOIN app.client k USING (client_id)
WHERE (CAST(:actor AS text) IS NULL OR a.actor = :actor)
  AND (CAST(:action AS text) IS NULL OR starts_with(a.action, :action))
  AND (CAST(:client_id AS integer) IS NULL OR a.client_id = :client_id
       OR a.clients @> ARRAY[CAST(:client_id AS integer)])
  AND (CAST(:since AS timestamptz) IS NULL OR a.at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR a.at < :until)
  AND (CAST(:words AS text) IS NULL OR strpos(lower(a.details::text), lower(:words)) > 0)
ORDER BY a.at DESC, a.audit_id DESC LIMIT :limit
