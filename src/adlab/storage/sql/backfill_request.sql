-- In: account_id, client_id, since, until, levels, now. Asks for an account's history; a wider
-- question than before starts over, the same goes on. Out: one row.
INSERT INTO app.backfill AS b (account_id, client_id, since, until, levels, requested_at)
VALUES (:account_id, :client_id, :since, :until, :levels, :now)
ON CONFLICT (account_id) DO UPDATE SET
  since = least(b.since, excluded.since),
  until = CASE WHEN b.levels @> excluded.levels THEN b.until ELSE excluded.until END,
  levels = CASE WHEN b.levels @> excluded.levels THEN b.levels ELSE excluded.levels END,
  reached = CASE WHEN b.levels @> excluded.levels THEN b.reached END,
  finished_at = CASE WHEN b.levels @> excluded.levels AND b.since <= excluded.since
                     THEN b.finished_at END,
  requested_at = excluded.requested_at
RETURNING account_id, since, until, levels, reached, finished_at
