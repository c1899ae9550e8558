-- From the staged objects to the table. Out: objects that are new or changed.
-- NULLs never overwrite what is known: insights name objects with fewer fields than entities do.
INSERT INTO app.object AS t
SELECT DISTINCT ON (account_id, level, object_id) * FROM stage_object
ORDER BY account_id, level, object_id
ON CONFLICT (account_id, level, object_id) DO UPDATE SET
  campaign_id = coalesce(excluded.campaign_id, t.campaign_id),
  ad_set_id = coalesce(excluded.ad_set_id, t.ad_set_id),
  creative_id = coalesce(excluded.creative_id, t.creative_id),
  name = excluded.name,
  status = coalesce(excluded.status, t.status),
  effective_status = coalesce(excluded.effective_status, t.effective_status),
  objective = coalesce(excluded.objective, t.objective),
  optimization_goal = coalesce(excluded.optimization_goal, t.optimization_goal),
  bid_strategy = coalesce(excluded.bid_strategy, t.bid_strategy),
  daily_budget_minor = CASE WHEN excluded.status IS NULL THEN t.daily_budget_minor
                            ELSE excluded.daily_budget_minor END,
  lifetime_budget_minor = CASE WHEN excluded.status IS NULL THEN t.lifetime_budget_minor
                               ELSE excluded.lifetime_budget_minor END,
  created_at = coalesce(excluded.created_at, t.created_at),
  updated_at = coalesce(excluded.updated_at, t.updated_at),
  start_at = coalesce(excluded.start_at, t.start_at),
  stop_at = coalesce(excluded.stop_at, t.stop_at),
  extra = coalesce(excluded.extra, t.extra),
  seen_at = excluded.seen_at,
  vanished_at = NULL
WHERE t.vanished_at IS NOT NULL
   OR (t.name, t.campaign_id, t.ad_set_id) IS DISTINCT FROM
      (excluded.name, coalesce(excluded.campaign_id, t.campaign_id),
       coalesce(excluded.ad_set_id, t.ad_set_id))
   OR (excluded.status IS NOT NULL AND
       (t.status, t.effective_status, t.objective, t.optimization_goal, t.bid_strategy,
        t.daily_budget_minor, t.lifetime_budget_minor, t.creative_id, t.updated_at, t.start_at,
        t.stop_at, t.extra)
       IS DISTINCT FROM
       (excluded.status, excluded.effective_status, coalesce(excluded.objective, t.objective),
        coalesce(excluded.optimization_goal, t.optimization_goal),
        coalesce(excluded.bid_strategy, t.bid_strategy),
        excluded.daily_budget_minor, excluded.lifetime_budget_minor,
        coalesce(excluded.creative_id, t.creative_id), coalesce(excluded.updated_at, t.updated_at),
        coalesce(excluded.start_at, t.start_at), coalesce(excluded.stop_at, t.stop_at),
        coalesce(excluded.extra, t.extra)))
