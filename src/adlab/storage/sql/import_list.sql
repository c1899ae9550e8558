-- In: client_id or NULL. Out: files imported, newest first.
SELECT f.import_id, c.slug AS client, f.file_name, f.level, f.since, f.until, f.rows, f.bad_rows,
       a.currency, a.timezone, f.imported_at, f.imported_by, f.undone_at, f.account_id
FROM app.import_file f
JOIN app.client c USING (client_id)
JOIN app.account a USING (account_id)
WHERE CAST(:client_id AS integer) IS NULL OR f.client_id = :client_id
ORDER BY f.import_id DESC
