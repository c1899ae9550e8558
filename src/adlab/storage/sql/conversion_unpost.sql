-- In: ids, lease, posted_at. Takes back the note that Meta may have events: it refused that call.
UPDATE app.conversion_event SET posted_at = NULL
WHERE conversion_id = ANY (:ids) AND lease = CAST(:lease AS uuid) AND posted_at = :posted_at
