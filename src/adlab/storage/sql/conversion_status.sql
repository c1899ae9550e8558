-- In: client_id or NULL. Out: counts a client, dataset, event name and state, with the newest error.
SELECT c.slug, e.dataset_id, e.event_name, e.state, count(*) AS events,
  count(*) FILTER (WHERE e.test_event_code IS NOT NULL) AS test_events,
  min(e.accepted_at) AS oldest_at, max(e.settled_at) AS newest_at,
  (array_agg(e.error ORDER BY e.conversion_id DESC) FILTER (WHERE e.error IS NOT NULL))[1] AS error
FROM app.conversion_event e JOIN app.client c USING (client_id)
WHERE (CAST(:client_id AS integer) IS NULL OR e.client_id = :client_id)
GROUP BY c.slug, e.dataset_id, e.event_name, e.state
ORDER BY c.slug, e.dataset_id, e.event_name, e.state
