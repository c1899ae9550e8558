-- In: client_id, dataset_id, now, rows (JSON list of event_name, error). Keeps that events were
-- refused here, and why; nothing else of them.
INSERT INTO app.conversion_event (client_id, dataset_id, event_name, state, error, accepted_at,
  settled_at)
SELECT :client_id, :dataset_id, r.event_name, 'rejected', r.error, :now, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(event_name text, error text)
