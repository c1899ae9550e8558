-- A place for objects to be copied to, inside this transaction.
CREATE TEMPORARY TABLE stage_object (LIKE app.object INCLUDING DEFAULTS) ON COMMIT DROP
