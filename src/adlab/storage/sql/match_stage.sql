-- A place for the rows of a file to compare, inside this transaction. `key` is Meta's id as text,
-- or the names from the campaign down, joined by " / ", as far as the file has them.
CREATE TEMPORARY TABLE stage_match (
  key         text NOT NULL,
  label       text NOT NULL,
  name        text,
  date        date NOT NULL,
  spend_micro bigint,
  impressions bigint,
  reach       bigint,
  clicks      bigint,
  link_clicks bigint,
  purchases   double precision,
  revenue_micro bigint
) ON COMMIT DROP
