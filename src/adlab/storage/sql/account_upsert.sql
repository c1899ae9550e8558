-- In: an ad account. Out: account_id, client_id as stored.
INSERT INTO app.account (account_id, client_id, name, currency, timezone, account_status,
                         disable_reason, source, connection_id, extra)
VALUES (:account_id, :client_id, :name, :currency, :timezone, :account_status,
        :disable_reason, :source, :connection_id, CAST(:extra AS jsonb))
ON CONFLICT (account_id) DO UPDATE SET
  name = excluded.name, account_status = excluded.account_status,
  disable_reason = excluded.disable_reason, timezone = excluded.timezone,
  connection_id = coalesce(excluded.connection_id, app.account.connection_id),
  extra = excluded.extra, seen_at = now()
RETURNING account_id, client_id
