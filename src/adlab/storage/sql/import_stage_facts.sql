-- What the staged file holds. Out: one row; `added` rows share object and day with another,
-- `repeated` ones even every cell.
SELECT sum(n) AS read, count(*) AS rows, count(DISTINCT object_id) AS objects,
       min(date) AS since, max(date) AS until, count(DISTINCT date) AS days,
       sum(n) FILTER (WHERE n > 1) AS added, sum(n - distinct_rows) AS repeated,
       sum(spend) AS spend_micro, sum(impressions) AS impressions, sum(clicks) AS clicks,
       sum(link_clicks) AS link_clicks, sum(purchases) AS purchases, sum(revenue) AS revenue_micro
FROM (SELECT object_id, date, count(*) AS n, count(DISTINCT digest) AS distinct_rows,
             sum(spend_micro) AS spend, sum(impressions) AS impressions, sum(clicks) AS clicks,
             sum(link_clicks) AS link_clicks, sum(purchases) AS purchases,
             sum(revenue_micro) AS revenue
      FROM stage_import GROUP BY object_id, date) AS g
