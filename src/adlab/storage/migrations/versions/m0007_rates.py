"""Exchange rates: loaded by hand from a file, used only where a currency is asked for.

Rates are nobody's secret, so everyone reads all of them.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

DDL = """
-- One unit of `base` is `rate` units of `quote` on that day.
CREATE TABLE app.fx_rate (
  date      date NOT NULL,
  base      text NOT NULL CHECK (base ~ '^[A-Z]{3}$'),
  quote     text NOT NULL CHECK (quote ~ '^[A-Z]{3}$' AND quote <> base),
  rate      numeric(24, 12) NOT NULL CHECK (rate > 0),
  source    text NOT NULL,
  loaded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (base, quote, date)
);
CREATE VIEW api.fx_rates WITH (security_barrier) AS
  SELECT date, base, quote, rate, source, loaded_at FROM app.fx_rate;
GRANT SELECT ON api.fx_rates TO adlab_reader;
"""


def upgrade() -> None:
    """Create the rate table."""
    op.execute(DDL)
