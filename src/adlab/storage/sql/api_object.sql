-- In: object_id, client_ids. Out: the campaigns, ad sets and ads of that number, the newest read
-- first; more than one only where it stands in an imported account besides.
SELECT o.object_id, o.account_id, o.client_id, o.level, o.name, o.status, o.effective_status,
       o.objective, o.optimization_goal, o.bid_strategy, o.daily_budget_minor,
       o.lifetime_budget_minor, o.created_at, o.updated_at, o.start_at, o.stop_at, o.campaign_id,
       o.ad_set_id, o.creative_id, o.vanished_at, a.currency, a.source, a.min_daily_budget_minor,
       c.slug
FROM api.objects o JOIN api.accounts a ON a.account_id = o.account_id
JOIN api.clients c ON c.client_id = o.client_id
WHERE o.object_id = :object_id AND o.level BETWEEN 2 AND 4 AND o.client_id = ANY (:client_ids)
ORDER BY (a.source = 'meta') DESC, o.seen_at DESC
