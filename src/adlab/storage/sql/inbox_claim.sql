-- In: now, lease_until, most. Out: updates that are this processor's until lease_until, oldest
-- first, with their client's facts as far as there are any.
WITH mine AS (
  UPDATE app.webhook_event e SET lease_until = :lease_until, attempts = e.attempts + 1
  WHERE e.event_id IN (
    SELECT w.event_id FROM app.webhook_event w
    WHERE w.state = 'new' AND w.not_before <= :now
      AND (w.lease_until IS NULL OR w.lease_until <= :now)
    ORDER BY w.event_id LIMIT :most FOR UPDATE SKIP LOCKED)
  RETURNING e.event_id, e.account_id, e.client_id, e.field, e.topic, e.object_id, e.value,
            e.sent_at, e.attempts)
SELECT * FROM mine ORDER BY event_id
