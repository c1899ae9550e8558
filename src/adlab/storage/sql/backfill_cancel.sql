-- In: account_id. Ends a back-fill; what is loaded stays. Out: one row when there was one.
DELETE FROM app.backfill WHERE account_id = :account_id RETURNING account_id
