-- In: client_ids, since (time). Out: pixels, with events received since then.
SELECT p.pixel_id, p.account_id, p.name, p.last_fired_at, p.unavailable, p.created_at,
       coalesce(sum(s.events), 0)::bigint AS events,
       coalesce(jsonb_object_agg(s.event, s.events) FILTER (WHERE s.event IS NOT NULL), '{}')
         AS by_event
FROM api.pixels p
LEFT JOIN (SELECT account_id, pixel_id, event, sum(events)::bigint AS events FROM api.pixel_stats
           WHERE client_id = ANY (:client_ids) AND hour_at >= :since
           GROUP BY account_id, pixel_id, event) s USING (account_id, pixel_id)
WHERE p.client_id = ANY (:client_ids) AND p.vanished_at IS NULL
GROUP BY p.pixel_id, p.account_id, p.name, p.last_fired_at, p.unavailable, p.created_at
ORDER BY p.name, p.pixel_id
