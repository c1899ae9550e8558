-- In: client_id or NULL. Out: published reports of all clients or one, newest first; no files.
SELECT r.report_id, c.slug AS client, r.template, r.period, r.title, r.pages, length(r.pdf) AS bytes,
       r.as_of, r.rendered_at, r.sha256
FROM app.report r JOIN app.client c USING (client_id)
WHERE CAST(:client_id AS integer) IS NULL OR r.client_id = :client_id
ORDER BY r.rendered_at DESC, r.report_id DESC
