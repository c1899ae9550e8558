-- In: client_ids, since, until. Out: per account, day and level the account's own row (expected)
-- and what the level's rows add up to (found); `gone` counts objects no listing shows any more.
SELECT g.client_id, g.account_id, g.date, g.level, a.name AS account_name, a.currency, a.timezone,
       g.spend_micro_expected, g.spend_micro_found, g.impressions_expected, g.impressions_found,
       g.clicks_expected, g.clicks_found, g.purchases_expected, g.purchases_found, g.expected_at,
       g.found_at, g.gone
FROM api.level_gaps g JOIN api.accounts a USING (account_id)
WHERE g.client_id = ANY (:client_ids) AND g.date BETWEEN :since AND :until
ORDER BY g.date, g.account_id, g.level
