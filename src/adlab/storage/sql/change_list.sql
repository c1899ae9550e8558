-- In: change_id, client_id, account_id, object_id, states (each or NULL), now, due (whether only
-- those that waited long enough), limit. Out: rows of the journal, newest first.
SELECT j.*, c.slug FROM app.change_journal j JOIN app.client c USING (client_id)
WHERE (CAST(:change_id AS bigint) IS NULL OR j.change_id = :change_id)
  AND (CAST(:client_id AS integer) IS NULL OR j.client_id = :client_id)
  AND (CAST(:account_id AS bigint) IS NULL OR j.account_id = :account_id)
  AND (CAST(:object_id AS bigint) IS NULL OR j.object_id = :object_id)
  AND (CAST(:states AS text[]) IS NULL OR j.state = ANY (CAST(:states AS text[])))
  AND (NOT :due OR j.not_before <= CAST(:now AS timestamptz))
ORDER BY j.change_id DESC LIMIT :limit
