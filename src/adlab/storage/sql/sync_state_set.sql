-- In: a range just read of an account's level. Coverage is one block without holes: a range that
-- touches it widens it, a newer one beyond a hole starts a new block, an older one is not counted.
INSERT INTO app.sync_state AS s (account_id, kind, level, client_id, since, until, checked_at,
                                 changed_at, status, error)
VALUES (:account_id, :kind, :level, :client_id, :since, :until, now(),
        CASE WHEN :changed THEN now() END, 'ok', NULL)
ON CONFLICT (account_id, kind, level) DO UPDATE SET
  since = CASE
            WHEN s.since IS NULL OR excluded.since > s.until + 1 THEN excluded.since
            WHEN excluded.until < s.since - 1 THEN s.since
            ELSE least(s.since, excluded.since)
          END,
  until = CASE WHEN s.until IS NULL THEN excluded.until ELSE greatest(s.until, excluded.until) END,
  checked_at = now(),
  changed_at = coalesce(excluded.changed_at, s.changed_at),
  status = 'ok', error = NULL
