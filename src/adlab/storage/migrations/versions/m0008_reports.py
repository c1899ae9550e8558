"""The archive of published reports: the file itself, so that rights and backups cover it."""

from alembic import op

revision = "0008"
down_revision = "0007"

DDL = """
CREATE TABLE app.report (
  report_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id   integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  template    text NOT NULL,
  period      text NOT NULL,
  since       date NOT NULL,
  until       date NOT NULL,
  title       text NOT NULL,
  as_of       timestamptz,
  rendered_at timestamptz NOT NULL DEFAULT now(),
  sha256      text NOT NULL,
  pages       integer,
  pdf         bytea NOT NULL
);
CREATE INDEX report_client ON app.report (client_id, until DESC);
CREATE VIEW api.reports WITH (security_barrier) AS
  SELECT t.report_id, t.client_id, t.template, t.period, t.since, t.until, t.title, t.as_of,
         t.rendered_at, t.sha256, t.pages, length(t.pdf) AS bytes, t.pdf
  FROM app.report t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);
GRANT SELECT ON api.reports TO adlab_reader;
"""


def upgrade() -> None:
    """Create the archive."""
    op.execute(DDL)
