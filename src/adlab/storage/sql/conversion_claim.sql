-- In: now, lease, lease_until, dataset_id or NULL, client_id or NULL, limit. Takes what is due of one
-- client, dataset and test code, the longest waiting first, and notes that it is about to be posted.
-- Out: the events.
WITH turn AS (
  SELECT client_id, dataset_id, test_event_code FROM app.conversion_event
  WHERE state = 'queued' AND not_before <= :now AND (lease_until IS NULL OR lease_until <= :now)
    AND (CAST(:dataset_id AS bigint) IS NULL OR dataset_id = :dataset_id)
    AND (CAST(:client_id AS integer) IS NULL OR client_id = :client_id)
  ORDER BY not_before, conversion_id LIMIT 1 FOR UPDATE SKIP LOCKED),
picked AS (
  SELECT e.conversion_id FROM app.conversion_event e JOIN turn t
    ON e.client_id = t.client_id AND e.dataset_id = t.dataset_id
   AND e.test_event_code IS NOT DISTINCT FROM t.test_event_code
  WHERE e.state = 'queued' AND e.not_before <= :now
    AND (e.lease_until IS NULL OR e.lease_until <= :now)
  ORDER BY e.not_before, e.conversion_id LIMIT :limit FOR UPDATE OF e SKIP LOCKED)
UPDATE app.conversion_event e SET lease = CAST(:lease AS uuid), lease_until = :lease_until,
  attempts = attempts + 1
FROM picked p WHERE e.conversion_id = p.conversion_id
RETURNING e.conversion_id, e.client_id, e.dataset_id, e.test_event_code,
  coalesce(e.payload, '{}') AS payload, e.attempts, e.payload_sealed
