-- In: client_id, account_id, level, import_id, fetched_at. From the staged file to the table.
-- Rows of one object and day are parts of a breakdown and are added; reach counts people, who may
-- be in several parts, so it is known for undivided rows only. Out: how many rows.
INSERT INTO app.insights_daily (
  date, client_id, account_id, level, object_id, spend_micro, impressions, reach, clicks,
  link_clicks, outbound_clicks, landing_page_views, post_engagements, content_views, searches,
  adds_to_cart, checkouts, purchases, revenue_micro, leads, video_3s_plays, thruplays, import_id,
  fetched_at)
SELECT date, :client_id, :account_id, :level, object_id, sum(spend_micro), sum(impressions),
       CASE WHEN count(*) = 1 THEN max(reach) END, sum(clicks), sum(link_clicks),
       sum(outbound_clicks), sum(landing_page_views), sum(post_engagements), sum(content_views),
       sum(searches), sum(adds_to_cart), sum(checkouts), sum(purchases), sum(revenue_micro),
       sum(leads), sum(video_3s_plays), sum(thruplays), :import_id, :fetched_at
FROM stage_import GROUP BY date, object_id
