-- In: client_id, sha256. Out: live imports of exactly this content, with how they were read.
SELECT import_id, account_id, file_name, rows, since, until, level,
       mapping = CAST(:mapping AS jsonb) AS same_mapping
FROM app.import_file
WHERE client_id = :client_id AND sha256 = :sha256 AND undone_at IS NULL
ORDER BY import_id
