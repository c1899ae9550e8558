-- A place for the rows of a file, inside this transaction. `source_account` is Meta's account id
-- where the file names it; `digest` tells rows that stand in the file twice.
CREATE TEMPORARY TABLE stage_import (
  date                date NOT NULL,
  object_id           bigint NOT NULL,
  campaign_id         bigint,
  ad_set_id           bigint,
  source_account      bigint,
  digest              bigint NOT NULL,
  spend_micro         bigint,
  impressions         bigint,
  reach               bigint,
  clicks              bigint,
  link_clicks         bigint,
  outbound_clicks     double precision,
  landing_page_views  double precision,
  post_engagements    double precision,
  content_views       double precision,
  searches            double precision,
  adds_to_cart        double precision,
  checkouts           double precision,
  purchases           double precision,
  revenue_micro       bigint,
  leads               double precision,
  video_3s_plays      double precision,
  thruplays           double precision
) ON COMMIT DROP
