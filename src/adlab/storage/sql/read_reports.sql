-- In: client_ids. Out: published reports this login may see, newest first; no files.
SELECT report_id, client_id, template, period, since, until, title, as_of, rendered_at, sha256,
       pages, bytes
FROM api.reports WHERE client_id = ANY (:client_ids)
ORDER BY rendered_at DESC, report_id DESC
