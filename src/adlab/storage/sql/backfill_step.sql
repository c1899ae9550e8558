-- In: account_id, reached, calls, rows, seconds, finished_at. Moves a back-fill on.
UPDATE app.backfill SET reached = least(coalesce(reached, :reached), :reached),
  calls = calls + :calls, rows = rows + :rows, seconds = seconds + :seconds,
  finished_at = :finished_at
WHERE account_id = :account_id
