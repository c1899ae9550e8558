-- In: client_ids. Out: published reports this login may see, newest first; of one that was
-- published again the newest only. No files.
SELECT report_id, client_id, template, period, since, until, title, as_of, rendered_at, sha256,
       pages, bytes
FROM api.reports r WHERE client_id = ANY (:client_ids) AND NOT EXISTS (
  SELECT 1 FROM api.reports n WHERE n.client_id = r.client_id AND n.template = r.template
    AND n.period = r.period AND n.report_id > r.report_id)
ORDER BY rendered_at DESC, report_id DESC
