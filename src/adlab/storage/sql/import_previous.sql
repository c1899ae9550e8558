-- In: client_id, account_id, file_name. Out: live imports of an earlier content of this file.
SELECT import_id FROM app.import_file
WHERE client_id = :client_id AND account_id = :account_id AND file_name = :file_name
  AND undone_at IS NULL
