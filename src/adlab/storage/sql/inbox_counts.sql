-- Out: per topic how many updates are kept, by state, with repeats and the newest receipt.
SELECT coalesce(e.topic, e.field) AS topic, count(*) AS kept,
       count(*) FILTER (WHERE e.state = 'new') AS waiting,
       count(*) FILTER (WHERE e.state = 'done') AS done,
       count(*) FILTER (WHERE e.state = 'ignored') AS ignored,
       count(*) FILTER (WHERE e.state = 'failed') AS failed,
       count(*) FILTER (WHERE e.client_id IS NULL) AS strangers,
       sum(e.repeats)::bigint AS repeats, max(e.received_at) AS last_received_at
FROM app.webhook_event e GROUP BY 1 ORDER BY 1
