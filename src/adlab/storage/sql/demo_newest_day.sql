-- Out: the newest day of campaigns of synced accounts, or NULL.
SELECT max(until) FROM app.sync_state WHERE kind = 'insights' AND level = 2
