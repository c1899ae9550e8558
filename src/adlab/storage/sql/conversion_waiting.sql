-- In: after. Out: up to 1,000 events that wait to be sent, sealed, in order of their number.
SELECT conversion_id, client_id, event_name, event_time, accepted_at, payload, payload_sealed
FROM app.conversion_event WHERE state = 'queued' AND conversion_id > :after
ORDER BY conversion_id LIMIT 1000
