-- Out: per connected account when insights were read last.
SELECT s.account_id, max(s.checked_at) AS checked_at FROM app.sync_state s
JOIN app.account a USING (account_id)
WHERE s.kind = 'insights' AND s.checked_at IS NOT NULL AND a.source = 'meta'
GROUP BY s.account_id
