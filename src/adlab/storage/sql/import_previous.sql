-- In: client_id, file_name. Out: live imports of an earlier content of this file, also those read
-- in another currency or timezone: their rows are the same delivery.
SELECT import_id, account_id, level, since, until, rows FROM app.import_file
WHERE client_id = :client_id AND file_name = :file_name AND undone_at IS NULL
