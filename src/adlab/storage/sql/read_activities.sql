-- In: client_ids, since, until (times). Out: changes by anybody, newest first.
SELECT happened_at, account_id, event_type, event, object_type, object_id, object_name, old, new,
       actor_name, actor_id, application_id, extra
FROM api.activities
WHERE client_id = ANY (:client_ids) AND happened_at >= :since AND happened_at < :until
ORDER BY happened_at DESC, object_id, event_type
