-- In: client_ids, since, until (times). Out: events per pixel, hour and name.
SELECT hour_at, pixel_id, account_id, event, events FROM api.pixel_stats
WHERE client_id = ANY (:client_ids) AND hour_at >= :since AND hour_at < :until
ORDER BY hour_at, pixel_id, event
