-- In: ids, lease, now. Notes, before the call, that Meta may have these events from now on.
UPDATE app.conversion_event SET posted_at = coalesce(posted_at, :now)
WHERE conversion_id = ANY (:ids) AND lease = CAST(:lease AS uuid) AND state = 'queued'
RETURNING conversion_id
