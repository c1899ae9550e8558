-- In: client_id, template, period, since, until, title, as_of, sha256, pages, pdf. Out: report_id.
INSERT INTO app.report
  (client_id, template, period, since, until, title, as_of, sha256, pages, pdf)
VALUES
  (:client_id, :template, :period, :since, :until, :title, :as_of, :sha256, :pages, :pdf)
RETURNING report_id
