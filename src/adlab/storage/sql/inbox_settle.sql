-- In: settled (JSON text: [{event_id, state, outcome, error, not_before}]), now. State new means
-- again at not_before. An update somebody else has settled meanwhile stays as it is.
-- Reason: locked in the order of their numbers, as the receiver does.
WITH given AS (
  SELECT * FROM jsonb_to_recordset(CAST(:settled AS jsonb)) AS g (event_id bigint, state text,
    outcome jsonb, error text, not_before timestamptz)
), mine AS MATERIALIZED (
  SELECT e.event_id FROM app.webhook_event e JOIN given g USING (event_id)
  WHERE e.state = 'new' ORDER BY e.event_id FOR UPDATE OF e
)
UPDATE app.webhook_event e SET state = g.state, outcome = g.outcome, error = g.error,
  lease_until = NULL, not_before = coalesce(g.not_before, e.not_before),
  processed_at = CASE g.state WHEN 'new' THEN NULL ELSE CAST(:now AS timestamptz) END
FROM given g JOIN mine USING (event_id) WHERE e.event_id = g.event_id
