-- In: client_ids. Out: accounts; money in whole offset units of the currency.
SELECT account_id, client_id, name, currency, timezone, account_status, disable_reason, source,
       seen_at, spend_cap_minor, amount_spent_minor, balance_minor, min_daily_budget_minor,
       is_prepay, capabilities
FROM api.accounts WHERE client_id = ANY (:client_ids) ORDER BY name
