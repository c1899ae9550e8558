-- A place for breakdown rows to be copied to, inside this transaction.
CREATE TEMPORARY TABLE stage_breakdown (LIKE app.insights_breakdown) ON COMMIT DROP
