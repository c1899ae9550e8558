-- In: client_id, insights_months, raw_days, webhooks_days (NULL for the default), set_by.
INSERT INTO app.retention (client_id, insights_months, raw_days, webhooks_days, set_by)
VALUES (:client_id, :insights_months, :raw_days, :webhooks_days, :set_by)
ON CONFLICT (client_id) DO UPDATE SET insights_months = excluded.insights_months,
  raw_days = excluded.raw_days, webhooks_days = excluded.webhooks_days, set_by = excluded.set_by,
  set_at = now()
