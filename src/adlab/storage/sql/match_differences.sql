-- In: account_ids, level, since, until, by_id, with_campaign, with_ad_set (which parents' names
-- belong to the key), and for each metric whether the file has it (has_…).
-- Compares the staged file with the store per object and day. A missing value equals zero here:
-- Ads Manager leaves cells without results empty. Revenue and purchases are rounded to two decimals
-- in a file, so half a unit of the last one is no difference, for each part of a breakdown.
-- Out: rows that differ, both sides, with `in_file` and `in_store`.
WITH file AS (
  SELECT key, date, max(label) AS label, count(*) AS parts, sum(spend_micro)::bigint AS spend_micro,
         sum(impressions)::bigint AS impressions, CASE WHEN count(*) = 1 THEN max(reach) END AS reach,
         sum(clicks)::bigint AS clicks, sum(link_clicks)::bigint AS link_clicks,
         sum(purchases) AS purchases, sum(revenue_micro)::bigint AS revenue_micro
  FROM stage_match GROUP BY key, date
), store AS (
  SELECT CASE WHEN :by_id THEN t.object_id::text
              ELSE concat_ws(' / ', CASE WHEN :with_campaign THEN c.name END,
                             CASE WHEN :with_ad_set THEN s.name END, coalesce(o.name, a.name)) END AS key,
         t.date, max(coalesce(o.name, a.name)) AS label, sum(t.spend_micro)::bigint AS spend_micro,
         sum(t.impressions)::bigint AS impressions,
         CASE WHEN count(*) = 1 THEN max(t.reach) END AS reach, sum(t.clicks)::bigint AS clicks,
         sum(t.link_clicks)::bigint AS link_clicks, sum(t.purchases) AS purchases,
         sum(t.revenue_micro)::bigint AS revenue_micro
  FROM app.insights_daily t
  JOIN app.account a ON a.account_id = t.account_id
  LEFT JOIN app.object o ON (o.account_id, o.level, o.object_id) = (t.account_id, t.level, t.object_id)
  LEFT JOIN app.object c
    ON (c.account_id, c.level, c.object_id) = (t.account_id, 2::smallint, o.campaign_id)
  LEFT JOIN app.object s
    ON (s.account_id, s.level, s.object_id) = (t.account_id, 3::smallint, o.ad_set_id)
  WHERE t.account_id = ANY (:account_ids) AND t.level = :level
    AND t.date BETWEEN :since AND :until
  GROUP BY 1, t.date
)
SELECT key, date, coalesce(f.label, s.label) AS label, f.key IS NOT NULL AS in_file,
       s.key IS NOT NULL AS in_store,
       f.spend_micro AS file_spend, s.spend_micro AS store_spend,
       f.impressions AS file_impressions, s.impressions AS store_impressions,
       f.reach AS file_reach, s.reach AS store_reach,
       f.clicks AS file_clicks, s.clicks AS store_clicks,
       f.link_clicks AS file_link_clicks, s.link_clicks AS store_link_clicks,
       f.purchases AS file_purchases, s.purchases AS store_purchases,
       f.revenue_micro AS file_revenue, s.revenue_micro AS store_revenue,
       coalesce(f.parts, 1) AS parts
FROM file f FULL JOIN store s USING (key, date)
WHERE (:has_spend AND coalesce(f.spend_micro, 0) <> coalesce(s.spend_micro, 0))
   OR (:has_impressions AND coalesce(f.impressions, 0) <> coalesce(s.impressions, 0))
   OR (:has_clicks AND coalesce(f.clicks, 0) <> coalesce(s.clicks, 0))
   OR (:has_link_clicks AND coalesce(f.link_clicks, 0) <> coalesce(s.link_clicks, 0))
   OR (:has_reach AND coalesce(f.parts, 1) = 1 AND coalesce(f.reach, 0) <> coalesce(s.reach, 0))
   OR (:has_purchases AND abs(coalesce(f.purchases, 0) - coalesce(s.purchases, 0))
                          > 0.005 * coalesce(f.parts, 1) + 1e-9)
   OR (:has_revenue AND abs(coalesce(f.revenue_micro, 0) - coalesce(s.revenue_micro, 0))
                        > 5000 * coalesce(f.parts, 1))
ORDER BY date, label, key
