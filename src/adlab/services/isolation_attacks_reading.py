"""Attacks that only read: tables, chunks, catalogs, leaky functions, errors, plans, existence."""

from __future__ import annotations

from adlab.core.roles import Right
from adlab.services.isolation_attacks import DENIED, DENIED_OR_UNKNOWN, Attack, Sign

_NO_INDEX = (
    "SET LOCAL enable_indexscan = off", "SET LOCAL enable_bitmapscan = off",
    "SET LOCAL enable_indexonlyscan = off", "SET LOCAL max_parallel_workers_per_gather = 0",
)  # fmt: skip
_LEAK = (
    "CREATE FUNCTION pg_temp.leak(bigint) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$",
    "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$",
)
_BUDGET = (
    '[{{"client": "{target_slug}", "scope": "client", "since": "2001-01-01", "until": '
    '"2001-01-31", "currency": "EUR", "amount_micro": 1}}]'
)

_TABLES = (
    Attack("read-base", "base tables", "read every table, view and sequence behind the views",
           ("SELECT * FROM {it}",), over="relations"),
    Attack("copy-base", "COPY", "copy every table behind the views to the attacker",
           ("COPY (SELECT * FROM {it}) TO STDOUT",), over="relations"),
    Attack("rows-of-base", "base tables", "reach rows by their place, by name and by column",
           ("SELECT ctid, tableoid FROM app.client", "TABLE sec.connection",
            "SELECT (c).name FROM app.client c", "SELECT count(*) FROM ONLY app.insights_daily",
            "SELECT FROM sec.person", "SELECT * FROM app.insights_daily TABLESAMPLE SYSTEM (100)")),
    Attack("lock-base", "base tables", "lock tables, so that others wait",
           ("LOCK TABLE app.insights_daily IN ACCESS EXCLUSIVE MODE",
            "LOCK TABLE api.insights_daily IN EXCLUSIVE MODE",
            "SELECT * FROM api.clients FOR UPDATE", "SELECT * FROM api.clients FOR KEY SHARE")),
    Attack("read-chunks", "chunks", "read every chunk, compressed ones too",
           ("SELECT * FROM {it}",), over="chunks"),
    Attack("copy-chunks", "chunks", "copy every chunk out", ("COPY (TABLE {it}) TO STDOUT",),
           over="chunks"),
    Attack("change-chunks", "chunks", "write to every chunk",
           ("DELETE FROM {it}", "LOCK TABLE {it} IN ACCESS EXCLUSIVE MODE", "TRUNCATE {it}"),
           over="chunks"),
    Attack("read-aggregates", "aggregates",
           "read what continuous aggregates are made of: materialisations and inner views",
           ("SELECT * FROM {it}", "COPY (SELECT * FROM {it}) TO STDOUT"), over="aggregates"),
    Attack("refresh-aggregates", "aggregates", "refresh what is not one's own",
           ("CALL public.refresh_continuous_aggregate('{it}', NULL, NULL)",
            "REFRESH MATERIALIZED VIEW {it}"),
           over="aggregates", codes=DENIED_OR_UNKNOWN | {"42809", "22023"}, alone=True,
           lasting=True),
)  # fmt: skip

_CATALOGS = (
    Attack("password-hashes", "catalogs", "read password hashes of logins",
           ("SELECT * FROM pg_authid", "SELECT * FROM pg_shadow", "TABLE pg_user_mapping")),
    Attack("statistics", "statistics", "read the most common values of columns",
           ("SELECT * FROM pg_statistic", "SELECT * FROM pg_statistic_ext_data")),
    Attack("statistics-views", "statistics", "read them through the views made for it",
           ("SELECT * FROM pg_stats WHERE schemaname IN ('app', 'sec', '_timescaledb_internal')",
            "SELECT * FROM pg_stats_ext", "SELECT * FROM pg_stats_ext_exprs"), Sign.EMPTY),
    Attack("statements-of-others", "statistics", "read what others run right now",
           ("SELECT query, client_addr, application_name FROM pg_stat_activity WHERE usename "
            "NOT IN (session_user, current_user) AND coalesce(query, '') NOT IN ('', "
            "'<insufficient privilege>')",), Sign.EMPTY),
    Attack("statements-counted", "statistics", "read which statements the server has counted",
           ("SELECT query FROM sec.pg_stat_statements", "SELECT query FROM pg_stat_statements",
            "SELECT * FROM sec.pg_stat_statements(true)"), codes=DENIED_OR_UNKNOWN),
    Attack("sizes-by-name", "statistics", "find names or rows in what statistics everybody reads",
           ("SELECT * FROM pg_stat_all_tables", "SELECT * FROM pg_statio_all_indexes",
            "SELECT * FROM pg_class", "SELECT * FROM pg_stat_progress_copy",
            "SELECT * FROM pg_stat_database", "SELECT * FROM pg_replication_slots"), Sign.WORDS),
    Attack("comments-and-settings", "catalogs", "find names or secrets in catalogs everybody reads",
           ("SELECT * FROM pg_description WHERE objoid > 16000", "SELECT * FROM pg_shdescription",
            "SELECT * FROM pg_db_role_setting", "SELECT * FROM pg_roles",
            "SELECT prosrc FROM pg_proc WHERE pronamespace > 16000",
            "SELECT * FROM pg_views WHERE schemaname IN ('api', 'app', 'sec', 'public')",
            "SELECT * FROM pg_constraint WHERE oid > 16000", "SELECT * FROM pg_attrdef",
            "SELECT * FROM pg_settings", "SELECT * FROM pg_database", "SELECT * FROM pg_trigger",
            "SELECT * FROM pg_tablespace", "SELECT * FROM pg_foreign_server",
            "SELECT * FROM pg_prepared_xacts", "SELECT * FROM information_schema.tables",
            "SELECT * FROM pg_seclabels", "SELECT * FROM pg_index",
            "SELECT * FROM pg_shseclabel", "SELECT * FROM pg_event_trigger"), Sign.WORDS),
    Attack("server-settings", "catalogs", "read where files lie and how logins are checked",
           ("SHOW data_directory", "SHOW hba_file", "SELECT * FROM pg_hba_file_rules",
            "SELECT * FROM pg_file_settings", "SELECT * FROM pg_ident_file_mappings",
            "SELECT * FROM pg_backend_memory_contexts", "SELECT * FROM pg_shmem_allocations",
            "SELECT * FROM pg_largeobject", "SELECT subconninfo FROM pg_subscription")),
    Attack("last-numbers", "sequences", "tell from counters how much others add",
           ("SELECT schemaname, sequencename FROM pg_sequences WHERE last_value IS NOT NULL",),
           Sign.EMPTY),
    Attack("extension-catalogs", "catalogs", "read TimescaleDB's own tables",
           ("SELECT * FROM _timescaledb_catalog.chunk", "SELECT * FROM _timescaledb_config.bgw_job",
            "SELECT * FROM _timescaledb_catalog.hypertable",
            "SELECT * FROM _timescaledb_catalog.compression_settings",
            "SELECT * FROM _timescaledb_catalog.continuous_agg",
            "SELECT * FROM _timescaledb_internal.bgw_job_stat",
            "SELECT * FROM timescaledb_information.chunks",
            "SELECT * FROM timescaledb_information.job_errors",
            "SELECT * FROM timescaledb_information.continuous_aggregates"),
           codes=DENIED_OR_UNKNOWN),
    Attack("extension-sizes", "catalogs", "ask TimescaleDB how much there is of what",
           ("SELECT public.approximate_row_count('app.insights_daily')",
            "SELECT public.hypertable_size('app.insights_daily')",
            "SELECT * FROM public.chunks_detailed_size('app.insights_daily')",
            "SELECT * FROM public.hypertable_columnstore_stats('app.insights_daily')"),
           codes=DENIED_OR_UNKNOWN),
)  # fmt: skip

_LEAKY = (
    Attack("leaky-function", "leaky functions",
           "run a cheap function of one's own before the filter",
           ("SELECT count(*) FROM api.insights_daily WHERE pg_temp.leak(spend_micro)",
            "SELECT count(*) FROM api.objects WHERE pg_temp.leak(name)",
            "SELECT count(*) FROM api.clients WHERE pg_temp.leak(name)",
            "SELECT count(*) FROM api.account_daily WHERE pg_temp.leak(spend_micro)",
            "SELECT count(*) FROM api.accounts WHERE pg_temp.leak(name)",
            "SELECT count(*) FROM api.actions WHERE pg_temp.leak(account_id)"),
           Sign.WORDS, (*_NO_INDEX, *_LEAK), needs_temp=True),
    Attack("leaky-operator", "leaky functions", "the same as an operator of one's own",
           ("SELECT count(*) FROM api.insights_daily WHERE spend_micro OPERATOR(pg_temp.<<<) 1",),
           Sign.WORDS,
           (*_NO_INDEX,
            "CREATE FUNCTION pg_temp.leak2(bigint, integer) RETURNS boolean COST 0.0000001 "
            "LANGUAGE "
            "plpgsql AS $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$",
            "CREATE OPERATOR pg_temp.<<< (LEFTARG = bigint, RIGHTARG = integer, "
            "FUNCTION = pg_temp.leak2)"), needs_temp=True),
    Attack("leaky-in-join", "leaky functions", "the same in a join, an order and an aggregate",
           ("SELECT count(*) FROM api.insights_daily a JOIN api.clients b ON "
            "pg_temp.leak(a.spend_micro) AND a.client_id = b.client_id",
            "SELECT 1 FROM api.insights_daily ORDER BY pg_temp.leak(spend_micro)",
            "SELECT count(*) FILTER (WHERE pg_temp.leak(spend_micro)) FROM api.insights_daily",
            "SELECT 1 FROM api.insights_daily GROUP BY spend_micro HAVING "
            "pg_temp.leak(spend_micro)"),
           Sign.WORDS, (*_NO_INDEX, *_LEAK), needs_temp=True),
    Attack("leakproof-claim", "leaky functions", "call a leaking function harmless",
           ("CREATE FUNCTION pg_temp.calm(bigint) RETURNS boolean LEAKPROOF LANGUAGE sql AS "
            "'SELECT true'",), codes=DENIED, needs_temp=True),
    Attack("division", "leaky functions", "ask by dividing: an error says that the number exists",
           ("SELECT 1 FROM api.insights_daily WHERE 1 / (spend_micro - {foreign_spend}) < 5",
            "SELECT 1 FROM api.account_daily WHERE 1 / (spend_micro - {foreign_spend}) < 5",
            "SELECT 1 FROM api.accounts WHERE 1 / (account_id - {foreign_account}) < 5",
            "SELECT 1 FROM api.clients WHERE 1 / (client_id - {foreign}) < 5"),
           Sign.QUIET, _NO_INDEX, codes=frozenset({"22012"}), spared=Right.SEE_ALL_CLIENTS),
    Attack("casts", "error texts", "have an error text quote somebody's value",
           ("SELECT 1 FROM api.objects WHERE name::integer > 0",
            "SELECT 1 FROM api.clients WHERE name::date > now()",
            "SELECT 1 FROM api.clients WHERE slug::uuid IS NULL",
            "SELECT 1 FROM api.accounts WHERE name::inet IS NULL",
            "SELECT 1 FROM api.accounts WHERE account_id::smallint = 0",
            "SELECT 1 FROM api.objects WHERE CAST(name AS jsonb) IS NULL",
            "SELECT 1 FROM api.insights_daily WHERE spend_micro::smallint = 1",
            "SELECT 1 FROM api.insights_daily WHERE actions::text::integer = 1",
            "SELECT 1 FROM api.objects WHERE 'x' ~ name"), Sign.WORDS, _NO_INDEX),
    Attack("query-builders", "leaky functions", "have built-in functions run queries",
           ("SELECT query_to_xml('SELECT * FROM app.client', true, true, '')",
            "SELECT table_to_xml('app.client', true, true, '')",
            "SELECT schema_to_xml('app', true, true, '')",
            "SELECT cursor_to_xml('x', 1, true, true, '')",
            "SELECT * FROM ts_stat('SELECT to_tsvector(name) FROM app.client')",
            "SELECT ts_rewrite('a'::tsquery, 'SELECT name::tsquery, name::tsquery FROM "
            "app.client')"),
           codes=DENIED | {"34000", "0A000"}),
    Attack("own-in-xml", "leaky functions", "see foreign rows of the views through them",
           ("SELECT schema_to_xml('api', true, true, '')", "SELECT query_to_xml("
            "'SELECT * FROM api.clients', true, true, '')"), Sign.WORDS,
           codes=DENIED | {"0A000"}),
)  # fmt: skip

_PLANS = (
    Attack("explain-base", "EXPLAIN", "have tables behind the views explained",
           ("EXPLAIN SELECT * FROM app.insights_daily", "EXPLAIN ANALYZE SELECT * FROM sec.person",
            "EXPLAIN (GENERIC_PLAN) SELECT * FROM sec.access WHERE person_id = $1")),
    Attack("explain-values", "EXPLAIN", "find values in plans, with everything they can show",
           ("EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS, WAL, MEMORY) SELECT * FROM api.objects",
            "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) SELECT * FROM api.insights_daily",
            "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM api.audit",
            "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM api.actions"), Sign.WORDS),
    Attack("explain-guess", "EXPLAIN", "guess a name and see from an estimate that it exists",
           ("EXPLAIN (FORMAT JSON) SELECT * FROM api.objects WHERE name = '{target_object_name}'",
            "EXPLAIN (FORMAT JSON) SELECT * FROM api.clients WHERE name = '{target_name}'",
            "EXPLAIN (FORMAT JSON) SELECT * FROM api.accounts WHERE name = '{target_name}'",
            "EXPLAIN (FORMAT JSON) SELECT * FROM api.clients WHERE slug = '{target_slug}'"),
           Sign.SAME, spared=Right.SEE_ALL_CLIENTS),
    Attack("explain-halve", "EXPLAIN", "find names letter by letter from estimates of a range",
           ("EXPLAIN (FORMAT JSON) SELECT * FROM api.objects WHERE name < '{target_object_name}'",
            "EXPLAIN (FORMAT JSON) SELECT * FROM api.clients WHERE name < '{target_name}'",
            "EXPLAIN (FORMAT JSON) SELECT * FROM api.accounts WHERE name >= '{target_name}'",
            "EXPLAIN (FORMAT JSON) SELECT * FROM api.objects WHERE name LIKE "
            "'{target_object_name}%'"),
           Sign.SAME, spared=Right.SEE_ALL_CLIENTS),
    Attack("print-plans", "EXPLAIN", "have the server print parse trees and plans",
           ("SELECT * FROM api.clients", "SELECT * FROM api.whoami()",
            "SELECT count(*) FROM api.objects"), Sign.WORDS,
           ("SET LOCAL client_min_messages = log", "SET LOCAL debug_print_parse = on",
            "SET LOCAL debug_print_rewritten = on", "SET LOCAL debug_print_plan = on")),
)  # fmt: skip

_EXISTENCE = (
    Attack("ask-by-id", "existence", "tell a foreign id from one that does not exist",
           ("SELECT * FROM api.clients WHERE client_id = {target}",
            "SELECT * FROM api.clients WHERE slug = '{target_slug}'",
            "SELECT * FROM api.accounts WHERE account_id = {target_account}",
            "SELECT * FROM api.objects WHERE object_id = {target_object}",
            "SELECT count(*) FROM api.insights_daily WHERE account_id = {target_account}",
            "SELECT count(*) FROM api.reports WHERE client_id = {target}",
            "SELECT count(*) FROM api.change_proposals WHERE client_id = {target}"),
           Sign.SAME, spared=Right.SEE_ALL_CLIENTS),
    Attack("ask-the-log-by-id", "existence", "the same in the audit log",
           ("SELECT count(*) FROM api.audit WHERE client_id = {target}",
            "SELECT count(*) FROM api.audit WHERE details::text LIKE '%{target_slug}%'"),
           Sign.SAME, spared=Right.SEE_AUDIT),
    Attack("plan-for-others", "existence", "set budgets and goals of a foreign client",
           (f"SELECT api.set_budgets('{_BUDGET}'::jsonb)",
            'SELECT api.set_goals(\'[{{"client": "{target_slug}", "metric": "roas", "target": '
            '3}}]\''
            "::jsonb)"), Sign.SAME, spared=Right.SEE_ALL_CLIENTS),
    Attack("propose-for-others", "existence", "propose a change of a foreign campaign",
           ('SELECT api.propose_change(\'{{"account_id": {target_account}, "object_id": '
            '{target_object}, "kind": "status", "change": {{"status": "PAUSED"}}, "reason": "x"}}\''
            "::jsonb)",), Sign.SAME, spared=Right.SEE_ALL_CLIENTS),
    Attack("note-for-others", "existence", "write into the audit log of a foreign client",
           ("SELECT api.note('board.view', ARRAY['{target_slug}'], '{{}}')",
            "SELECT api.note('board.view', ARRAY['{own_slug}', '{target_slug}'], '{{}}')"),
           Sign.SAME, spared=Right.SEE_ALL_CLIENTS),
    Attack("scope-of-others", "existence", "name a foreign account in a budget of one's own",
           ('SELECT api.set_budgets(\'[{{"client": "{own_slug}", "scope": "act_{target_account}", '
            '"since": "2001-01-01", "until": "2001-01-31", "currency": "EUR", "amount_micro": '
            '1}}]\''
            "::jsonb)",), Sign.SAME),
)  # fmt: skip

READING = (*_TABLES, *_CATALOGS, *_LEAKY, *_PLANS, *_EXISTENCE)
