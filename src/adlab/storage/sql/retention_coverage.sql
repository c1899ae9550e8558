-- In: client_id, account_id, before. What is stored begins no earlier than that day from now on,
-- unless imported days before it are still there.
UPDATE app.sync_state s SET since = :before
WHERE s.account_id = :account_id AND s.kind = 'insights' AND s.since < :before
  AND s.until >= :before
  AND NOT EXISTS (SELECT 1 FROM app.insights_daily d WHERE d.account_id = :account_id
                  AND d.client_id = :client_id AND d.date < :before)
