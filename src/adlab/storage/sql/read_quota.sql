-- In: client_ids. Out: the newest standing of each meter of their accounts.
SELECT q.client_id, c.slug, q.account_id, a.name AS account_name, q.meter, q.percent, q.tier,
       q.score_percent, q.calls_last_hour, q.regain_at, q.as_of
FROM api.quota q
JOIN api.clients c USING (client_id)
JOIN api.accounts a USING (account_id)
WHERE q.client_id = ANY (:client_ids)
ORDER BY c.slug, q.account_id, q.meter
