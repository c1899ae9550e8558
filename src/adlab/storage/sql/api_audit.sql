-- In: client_ids, all_entries (whether entries of no client come too), action (beginning) or null,
-- since and until or null, before (audit id), limit. Out: entries of the log, newest first; the
-- database shows each login its own share only.
SELECT t.audit_id, t.at, t.actor, t.action, c.slug, t.details
FROM api.audit t LEFT JOIN api.clients c ON c.client_id = t.client_id
WHERE t.audit_id < :before
  AND (:all_entries OR t.client_id = ANY (:client_ids))
  AND (CAST(:action AS text) IS NULL OR starts_with(t.action, :action))
  AND (CAST(:since AS timestamptz) IS NULL OR t.at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR t.at < :until)
ORDER BY t.audit_id DESC LIMIT :limit
