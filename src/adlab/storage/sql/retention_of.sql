-- In: client_id. Out: what was set for that client, NULL for a default; nothing when nothing was.
SELECT insights_months, raw_days, webhooks_days FROM app.retention WHERE client_id = :client_id
