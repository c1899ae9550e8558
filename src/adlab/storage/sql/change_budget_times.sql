-- In: account_id, object_id, since. Out: moments at which the budget of an object was changed, by
-- us or, as far as the account's change history is loaded, by others; oldest first.
WITH own AS (
  SELECT s.at FROM app.change_journal j CROSS JOIN LATERAL unnest(j.sends) AS s(at)
  WHERE j.account_id = :account_id AND j.object_id = :object_id AND j.kind = 'budget'
    AND s.at > CAST(:since AS timestamptz) - interval '5 minutes')
SELECT at FROM own WHERE at > :since
UNION ALL
SELECT a.happened_at FROM app.activity a
WHERE a.account_id = :account_id AND a.object_id = CAST(:object_id AS text)
  AND a.event_type IN ('update_ad_set_budget', 'update_campaign_budget')
  AND a.happened_at > :since
  -- Ours are in the change history too, at about the same moment.
  AND NOT EXISTS (SELECT 1 FROM own WHERE own.at BETWEEN a.happened_at - interval '5 minutes'
                  AND a.happened_at + interval '5 minutes')
ORDER BY 1
