-- In: before. Forgets runs that began before that, with their slices.
DELETE FROM app.sync_run WHERE started_at < :before
