-- In: a file about to be imported. Out: import_id.
INSERT INTO app.import_file (client_id, account_id, file_name, sha256, mapping, level, since, until,
                             rows, bad_rows)
VALUES (:client_id, :account_id, :file_name, :sha256, CAST(:mapping AS jsonb), :level, :since,
        :until, :rows, :bad_rows)
RETURNING import_id
