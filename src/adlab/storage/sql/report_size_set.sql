-- In: what one kind of question of an account taught. Replaces what was known of it.
INSERT INTO app.report_size (account_id, kind, client_id, days, ids, fields, report_from_days,
                             learned_at)
VALUES (:account_id, :kind, :client_id, :days, :ids, :fields, :report_from_days, :learned_at)
ON CONFLICT (account_id, kind) DO UPDATE SET
  client_id = excluded.client_id, days = excluded.days, ids = excluded.ids,
  fields = excluded.fields, report_from_days = excluded.report_from_days,
  learned_at = excluded.learned_at
