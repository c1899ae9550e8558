-- In: before. Forgets events that were settled before then; Meta takes none that old any more.
DELETE FROM app.conversion_event WHERE settled_at < :before
