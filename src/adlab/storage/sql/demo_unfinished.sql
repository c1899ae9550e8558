-- In: start. Out: how many synced accounts lack campaigns back to that day, or any ads.
SELECT count(*) FROM app.account a
WHERE a.source = 'meta' AND NOT (
  EXISTS (SELECT 1 FROM app.sync_state s WHERE s.account_id = a.account_id
            AND s.kind = 'insights' AND s.level = 2 AND s.since <= :start)
  AND EXISTS (SELECT 1 FROM app.sync_state s WHERE s.account_id = a.account_id
                AND s.kind = 'insights' AND s.level = 4))
