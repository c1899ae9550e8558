-- In: account_id. Objects of an imported account that no row and no row's object needs any more.
WITH live AS (
  SELECT DISTINCT level, object_id FROM app.insights_daily WHERE account_id = :account_id
), needed AS (
  SELECT o.level, o.object_id, o.campaign_id, o.ad_set_id
  FROM app.object o JOIN live USING (level, object_id) WHERE o.account_id = :account_id
)
DELETE FROM app.object o
WHERE o.account_id = :account_id
  AND NOT EXISTS (SELECT 1 FROM needed n WHERE (n.level, n.object_id) = (o.level, o.object_id))
  AND NOT EXISTS (SELECT 1 FROM needed n WHERE o.level = 2 AND n.campaign_id = o.object_id)
  AND NOT EXISTS (SELECT 1 FROM needed n WHERE o.level = 3 AND n.ad_set_id = o.object_id)
