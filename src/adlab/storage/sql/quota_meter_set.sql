-- In: one meter of an account as it stands now; `as_of` is when Meta last told it. Replaces the last.
INSERT INTO app.quota_meter AS q (account_id, meter, client_id, percent, tier, score_percent,
                                  calls_last_hour, regain_at, as_of)
VALUES (:account_id, :meter, :client_id, :percent, :tier, :score_percent, :calls_last_hour,
        :regain_at, :as_of)
ON CONFLICT (account_id, meter) DO UPDATE SET
  client_id = excluded.client_id, percent = excluded.percent,
  tier = coalesce(excluded.tier, q.tier), score_percent = excluded.score_percent,
  calls_last_hour = excluded.calls_last_hour, regain_at = excluded.regain_at, as_of = excluded.as_of
