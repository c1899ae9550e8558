-- In: client_ids, level. Out: objects of that level with their parents' names.
SELECT o.object_id, o.account_id, o.client_id, o.name, o.status, o.effective_status, o.objective,
       o.optimization_goal, o.bid_strategy, o.daily_budget_minor, o.lifetime_budget_minor,
       o.created_at, o.updated_at, o.start_at, o.stop_at, o.campaign_id, o.ad_set_id, o.creative_id,
       c.name AS campaign_name, s.name AS adset_name, a.name AS account_name, a.currency
FROM api.objects o
JOIN api.accounts a ON a.account_id = o.account_id
LEFT JOIN api.objects c ON (c.account_id, c.level, c.object_id) = (o.account_id, 2::smallint, o.campaign_id)
LEFT JOIN api.objects s ON (s.account_id, s.level, s.object_id) = (o.account_id, 3::smallint, o.ad_set_id)
WHERE o.client_id = ANY (:client_ids) AND o.level = :level
ORDER BY o.name
