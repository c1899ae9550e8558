-- In: client_ids. Out: for each connected account its campaigns, ad sets and ads that still exist,
-- its active ads (they raise Meta's hourly limits), and the newest tier told.
SELECT c.slug, a.account_id,
       count(*) FILTER (WHERE o.level = 2) AS campaigns,
       count(*) FILTER (WHERE o.level = 3) AS ad_sets,
       count(*) FILTER (WHERE o.level = 4) AS ads,
       count(*) FILTER (WHERE o.level = 4 AND o.effective_status = 'ACTIVE') AS active_ads,
       (SELECT q.tier FROM api.quota q WHERE q.account_id = a.account_id AND q.tier IS NOT NULL
         ORDER BY q.as_of DESC LIMIT 1) AS tier
FROM api.accounts a
JOIN api.clients c USING (client_id)
LEFT JOIN api.objects o ON o.account_id = a.account_id AND o.vanished_at IS NULL
WHERE a.client_id = ANY (:client_ids) AND a.source <> 'import'
GROUP BY c.slug, a.account_id
ORDER BY c.slug, a.account_id
