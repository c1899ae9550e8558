-- In: account_id. Out: per level about how many rows a day has: objects that are not archived, or
-- as many as a known day had.
SELECT level, max(rows) AS rows FROM (
  SELECT level, count(*) AS rows FROM app.object
  WHERE account_id = :account_id AND vanished_at IS NULL
    AND coalesce(effective_status, '') NOT IN ('ARCHIVED', 'DELETED') GROUP BY level
  UNION ALL
  SELECT level, max(objects) FROM app.account_daily
  WHERE account_id = :account_id GROUP BY level) found
GROUP BY level
