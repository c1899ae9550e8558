"""Budgets and goals: what people plan, not what Meta spends.

People set them from notebooks through two functions that check their right on each client; the
tables themselves stay out of reach. Rows are never changed, only replaced, so that the history of
a plan can be shown.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

DDL = """
ALTER TABLE sec.access ADD COLUMN plans boolean NOT NULL DEFAULT false;
UPDATE sec.access SET plans = role IN ('owner', 'admin', 'account_manager', 'analyst');

CREATE TABLE app.budget (
  budget_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id    integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  -- The whole client, or one ad account of it.
  scope        text NOT NULL DEFAULT 'client' CHECK (scope ~ '^(client|act_[0-9]+)$'),
  since        date NOT NULL,
  until        date NOT NULL CHECK (until >= since),
  currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  amount_micro bigint NOT NULL CHECK (amount_micro >= 0),
  note         text,
  set_by       text NOT NULL,
  set_at       timestamptz NOT NULL DEFAULT now(),
  replaced_at  timestamptz
);
CREATE UNIQUE INDEX budget_current ON app.budget (client_id, scope, currency, since, until)
  WHERE replaced_at IS NULL;

CREATE TABLE app.goal (
  goal_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id   integer NOT NULL REFERENCES app.client ON DELETE CASCADE,
  metric      text NOT NULL CHECK (length(metric) BETWEEN 1 AND 60),
  -- In the metric's own unit: money in major units of `currency`, rates as shares.
  target      numeric(20, 6) NOT NULL CHECK (target > 0),
  currency    text CHECK (currency ~ '^[A-Z]{3}$'),
  set_by      text NOT NULL,
  set_at      timestamptz NOT NULL DEFAULT now(),
  replaced_at timestamptz
);
CREATE UNIQUE INDEX goal_current ON app.goal (client_id, metric, coalesce(currency, ''))
  WHERE replaced_at IS NULL;

CREATE VIEW api.budgets WITH (security_barrier) AS
  SELECT t.budget_id, t.client_id, t.scope, t.since, t.until, t.currency, t.amount_micro, t.note,
         t.set_by, t.set_at, t.replaced_at
  FROM app.budget t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);
CREATE VIEW api.goals WITH (security_barrier) AS
  SELECT t.goal_id, t.client_id, t.metric, t.target, t.currency, t.set_by, t.set_at, t.replaced_at
  FROM app.goal t WHERE t.client_id IN (SELECT v.client_id FROM sec.visible v);

-- The client of that slug if the caller may plan for it; an error that does not say whether it
-- exists otherwise.
CREATE FUNCTION sec.client_to_plan(slug text) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE found integer; may boolean;
BEGIN
  SELECT c.client_id, a.plans INTO found, may
  FROM app.client c
  JOIN sec.access a USING (client_id) JOIN sec.login l USING (person_id)
  JOIN sec.person p USING (person_id)
  WHERE c.slug = client_to_plan.slug AND l.login = sec.caller() AND a.sees_data
    AND p.disabled_at IS NULL
    AND (l.expires_at IS NULL OR l.expires_at > now())
    AND (a.expires_at IS NULL OR a.expires_at > now());
  IF found IS NULL THEN
    RAISE EXCEPTION 'there is no client % that you may see', quote_literal(slug)
      USING ERRCODE = 'no_data_found';
  END IF;
  IF NOT may THEN
    RAISE EXCEPTION 'your role on client % does not include planning', quote_literal(slug)
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN found;
END $$;

-- Replace budgets. Each entry: client (slug), scope, since, until, currency, amount_micro, note;
-- amount_micro null only withdraws. All or nothing.
CREATE FUNCTION api.set_budgets(plans jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE one record; owner integer; count integer := 0; who text;
BEGIN
  SELECT p.name INTO who FROM sec.login l JOIN sec.person p USING (person_id)
  WHERE l.login = sec.caller();
  FOR one IN SELECT * FROM jsonb_to_recordset(plans) AS e(
      client text, scope text, since date, until date, currency text, amount_micro bigint,
      note text)
  LOOP
    owner := sec.client_to_plan(one.client);
    -- Reason: two people planning for one client at once must not store overlapping days.
    PERFORM 1 FROM app.client c WHERE c.client_id = owner FOR NO KEY UPDATE;
    IF one.scope <> 'client' AND NOT EXISTS (SELECT 1 FROM app.account a
        WHERE a.client_id = owner AND a.account_id::text = substr(one.scope, 5)
          AND a.currency = one.currency) THEN
      RAISE EXCEPTION 'client % has no account % in %', quote_literal(one.client), one.scope,
        one.currency USING ERRCODE = 'no_data_found';
    END IF;
    UPDATE app.budget b SET replaced_at = clock_timestamp()
    WHERE b.client_id = owner AND b.scope = one.scope AND b.currency = one.currency
      AND b.since = one.since AND b.until = one.until AND b.replaced_at IS NULL;
    IF one.amount_micro IS NOT NULL THEN
      IF EXISTS (SELECT 1 FROM app.budget b WHERE b.client_id = owner AND b.scope = one.scope
          AND b.currency = one.currency AND b.replaced_at IS NULL
          AND b.since <= one.until AND b.until >= one.since) THEN
        RAISE EXCEPTION 'client % has a budget that overlaps % to %', quote_literal(one.client),
          one.since, one.until USING ERRCODE = 'unique_violation';
      END IF;
      INSERT INTO app.budget
        (client_id, scope, since, until, currency, amount_micro, note, set_by)
      VALUES (owner, one.scope, one.since, one.until, one.currency, one.amount_micro, one.note,
        who);
    END IF;
    count := count + 1;
    INSERT INTO sec.audit (actor, action, client_id, details)
    VALUES (who, 'budget.set', owner, to_jsonb(one));
  END LOOP;
  RETURN count;
END $$;

-- Replace goals. Each entry: client (slug), metric, target, currency; target null only withdraws.
CREATE FUNCTION api.set_goals(plans jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE one record; owner integer; count integer := 0; who text;
BEGIN
  SELECT p.name INTO who FROM sec.login l JOIN sec.person p USING (person_id)
  WHERE l.login = sec.caller();
  FOR one IN SELECT * FROM jsonb_to_recordset(plans) AS e(
      client text, metric text, target numeric, currency text)
  LOOP
    owner := sec.client_to_plan(one.client);
    UPDATE app.goal g SET replaced_at = clock_timestamp()
    WHERE g.client_id = owner AND g.metric = one.metric AND g.replaced_at IS NULL
      AND g.currency IS NOT DISTINCT FROM one.currency;
    IF one.target IS NOT NULL THEN
      INSERT INTO app.goal (client_id, metric, target, currency, set_by)
      VALUES (owner, one.metric, one.target, one.currency, who);
    END IF;
    count := count + 1;
    INSERT INTO sec.audit (actor, action, client_id, details)
    VALUES (who, 'goal.set', owner, to_jsonb(one));
  END LOOP;
  RETURN count;
END $$;

-- Agency-wide roles plan for every client, as they see every client.
CREATE OR REPLACE FUNCTION sec.imply_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'client' THEN
    INSERT INTO sec.access (person_id, client_id, role, sees_data, plans, implied, reason)
    SELECT person_id, NEW.client_id, role, true, true, true, 'role sees every client'
    FROM sec.person WHERE all_clients
    ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM sec.access WHERE person_id = NEW.person_id AND implied AND NOT NEW.all_clients;
    INSERT INTO sec.access (person_id, client_id, role, sees_data, plans, implied, reason)
    SELECT NEW.person_id, client_id, NEW.role, true, true, true, 'role sees every client'
    FROM app.client WHERE NEW.all_clients
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION sec.client_to_plan(text), api.set_budgets(jsonb), api.set_goals(jsonb)
  FROM PUBLIC;
GRANT SELECT ON api.budgets, api.goals TO adlab_reader;
GRANT EXECUTE ON FUNCTION api.set_budgets(jsonb), api.set_goals(jsonb) TO adlab_reader;
"""


def upgrade() -> None:
    """Create budgets and goals."""
    op.execute(DDL)
