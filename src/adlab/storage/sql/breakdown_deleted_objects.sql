-- In: account_id, level, since, until. Out: objects no listing shows any more that delivered then.
SELECT DISTINCT i.object_id FROM app.insights_daily i
JOIN app.object o ON (o.account_id, o.level, o.object_id) = (i.account_id, i.level, i.object_id)
WHERE i.account_id = :account_id AND i.level = :level AND i.date BETWEEN :since AND :until
  AND (o.vanished_at IS NOT NULL OR o.effective_status = 'DELETED' OR o.status IS NULL)
ORDER BY i.object_id
