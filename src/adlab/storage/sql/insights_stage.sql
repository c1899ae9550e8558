-- A place for insights to be copied to, inside this transaction.
CREATE TEMPORARY TABLE stage_insights (LIKE app.insights_daily) ON COMMIT DROP
