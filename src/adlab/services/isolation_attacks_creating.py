"""Attacks that create: objects, shadows of ours, views, rules, triggers, foreign keys."""

from __future__ import annotations

from adlab.core.roles import Right
from adlab.services.isolation_attacks import DENIED, DENIED_OR_UNKNOWN, Attack, Sign

# Reason: temporary objects come first in every search path that does not name their schema.
_SHADOWS = (
    "CREATE TEMP TABLE visible AS SELECT {foreign} AS client_id",
    "CREATE TEMP TABLE standing AS SELECT '{me}'::name AS login, 1 AS person_id, {foreign} AS "
    "client_id, 'owner'::text AS role, true AS sees_data, NULL::timestamptz AS expires_at",
    "CREATE TEMP TABLE login AS SELECT '{me}'::name AS login, 1 AS person_id",
    "CREATE TEMP TABLE client AS SELECT {foreign} AS client_id, '{foreign_slug}'::text AS slug",
    "CREATE FUNCTION pg_temp.caller() RETURNS name LANGUAGE sql AS $$ SELECT 'adlab_owner'::name "
    "$$",
    "CREATE FUNCTION pg_temp.may(integer, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS "
    "$$ SELECT '2000-01-01'::timestamptz $$",
    "CREATE FUNCTION pg_temp.current_setting(text) RETURNS text LANGUAGE sql AS "
    "$$ SELECT 'adlab_owner' $$",
    "CREATE FUNCTION pg_temp.same(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE OPERATOR pg_temp.= (LEFTARG = name, RIGHTARG = name, FUNCTION = pg_temp.same)",
    "CREATE FUNCTION pg_temp.same(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE OPERATOR pg_temp.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = pg_temp.same)",
    "CREATE FUNCTION pg_temp.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.same)",
    "CREATE DOMAIN pg_temp.name AS text",
    "CREATE DOMAIN pg_temp.integer AS text",
    "SET LOCAL search_path = pg_temp, app, sec, api, pg_catalog",
)  # fmt: skip

_SHADOWING = (
    Attack("shadow-views", "search_path", "put tables, functions, operators and types of one's own "
           "before those the views use",
           ("SELECT * FROM api.clients", "SELECT * FROM api.accounts", "SELECT * FROM api.objects",
            "SELECT client_id, spend_micro FROM api.insights_daily", "SELECT * FROM api.audit",
            "SELECT * FROM api.account_daily"), Sign.WORDS, _SHADOWS, needs_temp=True),
    Attack("shadow-whoami", "search_path", "the same before the functions that know who calls",
           ("SELECT * FROM api.whoami()", "SELECT * FROM api.schema_version()"), Sign.WORDS,
           _SHADOWS, needs_temp=True),
    Attack("shadow-writing", "search_path", "the same before the functions that write",
           ('SELECT api.set_goals(\'[{{"client": "{foreign_slug}", "metric": "roas", "target": '
            '3}}]\''
            "::jsonb)",
            'SELECT api.set_budgets(\'[{{"client": "{foreign_slug}", "scope": "client", "since": '
            '"2001-01-01", "until": "2001-01-31", "currency": "EUR", "amount_micro": '
            '1}}]\'::jsonb)',
            'SELECT api.propose_change(\'{{"account_id": {foreign_account}, "object_id": '
            '{foreign_object}, "kind": "status", "change": {{"status": "PAUSED"}}, "reason": '
            '"x"}}\''
            "::jsonb)",
            "SELECT api.note('board.view', ARRAY['{foreign_slug}'], '{{}}')"),
           Sign.REFUSED, _SHADOWS, codes=DENIED | {"P0002"}, needs_temp=True,
           spared=Right.SEE_ALL_CLIENTS),
    Attack("path-only", "search_path", "the same with a path alone",
           ("SELECT * FROM api.clients", "SELECT * FROM api.whoami()", "SELECT * FROM client"),
           Sign.WORDS, ("SET LOCAL search_path = pg_temp, app, sec, pg_catalog",)),
)  # fmt: skip

_OBJECTS = (
    Attack("temp-tables", "temporary tables", "make temporary tables, so fill the disk",
           ("CREATE TEMP TABLE mine (x integer)", "SELECT 1 AS x INTO TEMP mine",
            "CREATE TEMP SEQUENCE mine", "CREATE TEMP VIEW mine AS SELECT 1",
            "CREATE FUNCTION pg_temp.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'")),
    Attack("create-in-schemas", "CREATE", "make objects in schemas that others read",
           ("CREATE TABLE api.mine (x integer)", "CREATE TABLE public.mine (x integer)",
            "CREATE TABLE app.mine (x integer)", "CREATE SCHEMA mine",
            "CREATE FUNCTION api.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL'",
            "CREATE VIEW public.mine AS SELECT 1", "CREATE SEQUENCE public.mine",
            "CREATE TYPE public.mine AS (x integer)", "CREATE DOMAIN public.mine AS integer",
            "CREATE COLLATION public.mine (locale = 'C')", "CREATE TABLE pg_catalog.mine (x int)",
            "CREATE MATERIALIZED VIEW public.mine AS SELECT 1")),
    Attack("create-machinery", "CREATE", "make triggers, rules, policies and channels on ours",
           ("CREATE RULE mine AS ON INSERT TO api.clients DO INSTEAD NOTHING",
            "CREATE POLICY mine ON app.client USING (true)",
            "CREATE INDEX ON app.client (name)", "CREATE PUBLICATION mine FOR ALL TABLES",
            "CREATE STATISTICS public.mine ON name, slug FROM app.client",
            "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION "
            "suppress_redundant_updates_trigger()",
            "CREATE TRIGGER mine INSTEAD OF INSERT ON api.clients EXECUTE FUNCTION "
            "suppress_redundant_updates_trigger()",
            "CREATE FOREIGN DATA WRAPPER mine", "CREATE CAST (integer AS name) WITH INOUT",
            "CREATE ACCESS METHOD mine TYPE TABLE HANDLER heap_tableam_handler",
            "CREATE OPERATOR public.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)"),
           codes=DENIED | {"42809"}),
    Attack("create-around", "CREATE", "make databases, tablespaces and subscriptions",
           ("CREATE DATABASE mine", "CREATE TABLESPACE mine LOCATION '/tmp'",
            "CREATE SUBSCRIPTION mine CONNECTION 'host=127.0.0.1' PUBLICATION x"),
           alone=True, lasting=True),
    Attack("temp-views", "views", "make a view over what one may not read",
           ("SELECT * FROM mine", "SELECT * FROM mine2", "SELECT * FROM mine3"), Sign.REFUSED,
           ("CREATE TEMP VIEW mine AS SELECT * FROM app.client",
            "CREATE TEMP VIEW mine2 WITH (security_invoker) AS SELECT * FROM sec.person",
            "CREATE TEMP TABLE mine3 AS SELECT * FROM app.account"),
           codes=DENIED_OR_UNKNOWN, needs_temp=True),
    Attack("temp-rules", "views", "have rules and triggers of one's own read for the owner",
           ("INSERT INTO mine VALUES (1) RETURNING *", "INSERT INTO mine VALUES (1)"), Sign.WORDS,
           ("CREATE TEMP TABLE mine (x integer)",
            "CREATE RULE r AS ON INSERT TO mine DO INSTEAD SELECT name FROM app.client"),
           codes=DENIED_OR_UNKNOWN, needs_temp=True),
    Attack("own-definer", "functions", "run as somebody else by a function of one's own",
           ("SELECT * FROM pg_temp.mine()",), Sign.REFUSED,
           ("CREATE FUNCTION pg_temp.mine() RETURNS SETOF text SECURITY DEFINER LANGUAGE plpgsql "
            "AS "
            "$$ BEGIN RETURN QUERY SELECT name FROM app.client; END $$",
            "ALTER FUNCTION pg_temp.mine() OWNER TO adlab_owner"),
           codes=DENIED_OR_UNKNOWN, needs_temp=True),
    Attack("foreign-keys", "foreign keys", "learn which ids exist through a reference",
           ("CREATE TEMP TABLE mine (id integer REFERENCES app.client)",
            "CREATE TEMP TABLE mine (id bigint REFERENCES app.account)",
            "CREATE TEMP TABLE mine (LIKE app.client INCLUDING ALL)",
            "CREATE TEMP TABLE mine () INHERITS (app.client)"),
           codes=DENIED | {"42P16"}, needs_temp=True),
    Attack("change-ours", "views", "open the views, or drop them",
           ("ALTER VIEW api.insights_daily SET (security_barrier = false)",
            "ALTER VIEW api.insights_daily SET (security_invoker = true)",
            "DROP VIEW api.insights_daily CASCADE", "ALTER TABLE app.client DISABLE TRIGGER ALL",
            "CREATE OR REPLACE VIEW api.clients AS SELECT * FROM app.client",
            "ALTER FUNCTION api.whoami() SECURITY INVOKER",
            "ALTER FUNCTION api.whoami() RESET ALL", "DROP FUNCTION api.whoami()",
            "CREATE OR REPLACE FUNCTION api.schema_version() RETURNS text LANGUAGE sql AS "
            "'SELECT 1'",
            "ALTER SCHEMA api RENAME TO mine", "COMMENT ON TABLE app.client IS 'x'",
            "SECURITY LABEL ON TABLE app.client IS 'x'"), codes=DENIED | {"22023"}),
)  # fmt: skip

CREATING = (*_SHADOWING, *_OBJECTS)
