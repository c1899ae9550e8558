-- In: import_id. Out: its row.
SELECT f.import_id, f.client_id, c.slug AS client, f.account_id, f.level, f.since, f.until, f.rows,
       f.file_name, f.undone_at
FROM app.import_file f JOIN app.client c USING (client_id) WHERE f.import_id = :import_id
