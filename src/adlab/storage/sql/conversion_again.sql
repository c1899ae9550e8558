-- In: ids, lease, not_before, error, surely_not (moment of a posting that Meta surely did not take, or
-- NULL). Puts events back for a later turn; an earlier posting without an answer stays noted.
UPDATE app.conversion_event SET lease = NULL, lease_until = NULL, not_before = :not_before,
  error = :error,
  posted_at = CASE WHEN posted_at = CAST(:surely_not AS timestamptz) THEN NULL ELSE posted_at END
WHERE conversion_id = ANY (:ids) AND lease = CAST(:lease AS uuid) AND state = 'queued'
