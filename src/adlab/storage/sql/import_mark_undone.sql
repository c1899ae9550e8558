-- In: import_id.
UPDATE app.import_file SET undone_at = now() WHERE import_id = :import_id
