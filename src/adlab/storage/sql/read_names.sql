-- In: client_ids, level. Out: id, name, status and parents of each object, for labels.
SELECT o.object_id, o.name, o.effective_status, o.objective, o.campaign_id, o.ad_set_id
FROM api.objects o WHERE o.client_id = ANY (:client_ids) AND o.level = :level
