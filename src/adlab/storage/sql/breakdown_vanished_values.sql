-- In: account_id, breakdown, level, since, until, fetched_at. Removes rows of objects this read
-- brought again whose value it no longer names: Meta moves delivery between values as it restates.
DELETE FROM app.insights_breakdown t
WHERE t.account_id = :account_id AND t.breakdown = :breakdown AND t.level = :level
  AND t.date BETWEEN :since AND :until
  AND EXISTS (SELECT 1 FROM stage_breakdown s WHERE s.object_id = t.object_id AND s.date = t.date)
  AND NOT EXISTS (SELECT 1 FROM stage_breakdown s
                  WHERE (s.object_id, s.date, s.value, s.value2)
                      = (t.object_id, t.date, t.value, t.value2))
