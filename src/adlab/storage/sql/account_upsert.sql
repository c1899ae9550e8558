-- In: an ad account. Out: account_id, client_id as stored.
INSERT INTO app.account (account_id, client_id, name, currency, timezone, account_status,
                         disable_reason, source, connection_id, extra, spend_cap_minor,
                         amount_spent_minor, balance_minor, min_daily_budget_minor, is_prepay,
                         capabilities)
VALUES (:account_id, :client_id, :name, :currency, :timezone, :account_status,
        :disable_reason, :source, :connection_id, CAST(:extra AS jsonb), :spend_cap_minor,
        :amount_spent_minor, :balance_minor, :min_daily_budget_minor, :is_prepay,
        CAST(:capabilities AS text[]))
ON CONFLICT (account_id) DO UPDATE SET
  name = excluded.name, account_status = excluded.account_status,
  disable_reason = excluded.disable_reason, timezone = excluded.timezone,
  connection_id = coalesce(excluded.connection_id, app.account.connection_id),
  extra = excluded.extra, spend_cap_minor = excluded.spend_cap_minor,
  amount_spent_minor = excluded.amount_spent_minor, balance_minor = excluded.balance_minor,
  min_daily_budget_minor = excluded.min_daily_budget_minor, is_prepay = excluded.is_prepay,
  capabilities = excluded.capabilities, seen_at = now()
RETURNING account_id, client_id
