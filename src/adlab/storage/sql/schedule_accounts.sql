-- Out: accounts that can be read from Meta, with what says how often: newest day with spend, whether
-- anything is active, and whether anything was read yet.
SELECT a.account_id, a.client_id, c.slug, a.timezone,
  (SELECT max(d.date) FROM app.account_daily d
    WHERE d.client_id = a.client_id AND d.account_id = a.account_id AND d.spend_micro > 0
  ) AS spent_on,
  EXISTS (SELECT 1 FROM app.object o WHERE o.account_id = a.account_id AND o.level = 2
    AND o.effective_status = 'ACTIVE' AND o.vanished_at IS NULL) AS active,
  EXISTS (SELECT 1 FROM app.sync_state s WHERE s.account_id = a.account_id
    AND s.kind = 'insights' AND s.since IS NOT NULL) AS loaded
FROM app.account a
JOIN app.client c USING (client_id)
JOIN sec.connection n ON n.connection_id = a.connection_id
WHERE a.source = 'meta' AND n.status = 'ok' AND c.status = 'active'
ORDER BY a.account_id
