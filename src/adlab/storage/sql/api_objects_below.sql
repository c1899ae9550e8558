-- In: client_ids, level, parent_id (campaign of ad sets, ad set of ads), status or null, after
-- (object id), limit. Out: objects below that one, by number.
SELECT o.object_id, o.account_id, o.client_id, o.level, o.name, o.status, o.effective_status,
       o.objective, o.optimization_goal, o.bid_strategy, o.daily_budget_minor,
       o.lifetime_budget_minor, o.created_at, o.updated_at, o.start_at, o.stop_at, o.campaign_id,
       o.ad_set_id, o.creative_id, o.vanished_at, a.currency, c.slug
FROM api.objects o JOIN api.accounts a ON a.account_id = o.account_id
JOIN api.clients c ON c.client_id = o.client_id
WHERE o.client_id = ANY (:client_ids) AND o.level = :level
  AND CASE o.level WHEN 3 THEN o.campaign_id WHEN 4 THEN o.ad_set_id END = :parent_id
  AND (CAST(:status AS text) IS NULL OR o.effective_status = :status)
  AND o.object_id > :after
ORDER BY o.object_id LIMIT :limit
