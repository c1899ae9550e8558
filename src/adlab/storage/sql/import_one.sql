-- In: import_id. Out: its row.
SELECT import_id, client_id, account_id, level, since, until, file_name, undone_at
FROM app.import_file WHERE import_id = :import_id
