-- In: now, margin (interval as text), forget_before. Events that became too old are never sent:
-- expired when Meta surely has them not, unknown when an answer was lost; so are those whose
-- repetition Meta would count again. Out: state and number of each.
WITH gone AS (
  UPDATE app.conversion_event SET
    state = CASE WHEN posted_at IS NULL THEN 'expired' ELSE 'unknown' END,
    error = CASE WHEN posted_at IS NULL THEN coalesce('Too old to be sent. Last: ' || error,
                                                      'Too old to be sent.')
                 ELSE coalesce('No clear answer in time. Last: ' || error,
                               'No clear answer in time.') END,
    payload = NULL, payload_sealed = NULL, lease = NULL, lease_until = NULL, settled_at = :now
  WHERE state = 'queued' AND (lease_until IS NULL OR lease_until <= :now)
    AND (expires_at <= CAST(:now AS timestamptz) + CAST(:margin AS interval)
         OR posted_at <= :forget_before)
  RETURNING state)
SELECT state, count(*) AS events FROM gone GROUP BY state
