-- In: client_id, account_id, sha256, mapping. Out: the live import of exactly this content.
SELECT import_id, rows FROM app.import_file
WHERE client_id = :client_id AND account_id = :account_id AND sha256 = :sha256
  AND mapping = CAST(:mapping AS jsonb) AND undone_at IS NULL
