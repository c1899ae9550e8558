-- Out: up to 1,000 events that wait with their payload in the clear, as releases before sealing left
-- them, locked; those somebody is sending are left to a later turn.
SELECT conversion_id, client_id, payload FROM app.conversion_event
WHERE payload IS NOT NULL AND lease IS NULL
ORDER BY conversion_id LIMIT 1000 FOR UPDATE SKIP LOCKED
