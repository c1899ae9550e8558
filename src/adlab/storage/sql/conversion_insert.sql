-- In: client_id, dataset_id, test_event_code, now, events (JSON list of event_name, event_id,
-- event_time, expires_at, payload_sealed in hex). Out: place in the list of each event that was not
-- there yet.
WITH given AS (
  SELECT r.place, e.* FROM jsonb_array_elements(CAST(:events AS jsonb)) WITH ORDINALITY
    AS r(item, place)
  CROSS JOIN LATERAL jsonb_to_record(r.item) AS e(event_name text, event_id text,
    event_time timestamptz, expires_at timestamptz, payload_sealed text)),
first AS (
  SELECT DISTINCT ON (event_name, event_id) * FROM given ORDER BY event_name, event_id, place),
kept AS (
  INSERT INTO app.conversion_event (client_id, dataset_id, event_name, event_id, event_time,
    expires_at, payload_sealed, test_event_code, state, not_before, accepted_at)
  SELECT :client_id, :dataset_id, f.event_name, f.event_id, f.event_time, f.expires_at,
    decode(f.payload_sealed, 'hex'),
    :test_event_code, 'queued', :now, :now
  FROM first f ORDER BY f.place
  ON CONFLICT (dataset_id, event_name, event_id) WHERE state IN ('queued', 'sent', 'unknown')
  DO NOTHING
  RETURNING event_name, event_id)
SELECT f.place FROM first f JOIN kept k USING (event_name, event_id)
