-- In: events (JSON text, see sec.take_webhooks), at. Out: one row: stored, repeated, strangers.
SELECT stored, repeated, strangers FROM sec.take_webhooks(CAST(:events AS jsonb), :at)
