-- In: client_id, account_id, topic, state or NULL each, most. Out: the newest updates and what
-- followed, newest first.
SELECT e.event_id, e.received_at, e.sent_at, c.slug AS client, e.account_id, e.topic, e.field,
       e.object_id, e.value, e.state, e.attempts, e.processed_at, e.outcome, e.error, e.repeats
FROM app.webhook_event e LEFT JOIN app.client c USING (client_id)
WHERE (CAST(:client_id AS integer) IS NULL OR e.client_id = :client_id)
  AND (CAST(:account_id AS bigint) IS NULL OR e.account_id = :account_id)
  AND (CAST(:topic AS text) IS NULL OR e.topic = :topic)
  AND (CAST(:state AS text) IS NULL OR e.state = :state)
ORDER BY e.event_id DESC LIMIT :most
