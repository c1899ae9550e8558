-- In: account_id, client_ids. Out: that account with its client, if it is one of theirs.
SELECT a.account_id, a.client_id, c.slug, a.name, a.currency, a.timezone, a.account_status,
       a.disable_reason, a.source, a.seen_at, a.amount_spent_minor, a.spend_cap_minor,
       a.min_daily_budget_minor
FROM api.accounts a JOIN api.clients c USING (client_id)
WHERE a.account_id = :account_id AND a.client_id = ANY (:client_ids)
