-- In: report_id. Out: file name and PDF of a report this login may see, or nothing.
SELECT c.slug || '_' || r.template || '_' || r.period || '.pdf' AS file_name, r.pdf
FROM api.reports r JOIN api.clients c USING (client_id)
WHERE r.report_id = :report_id
