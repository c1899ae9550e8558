-- In: report_id. Out: file name, client's slug and PDF of a report this login may see, or nothing.
SELECT c.slug || '_' || r.template || '_' || r.period || '.pdf' AS file_name, c.slug, r.pdf
FROM api.reports r JOIN api.clients c USING (client_id)
WHERE r.report_id = :report_id
