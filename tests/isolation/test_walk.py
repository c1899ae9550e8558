"""Every relation and every function of the database, found in its catalogs.

A new table, view or function is found here by itself: what can be read must belong to granted
clients or stand on a list with the reason, what can be called must stand on a list with its
contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url, text
from tests.isolation.town import Town

from adlab.core.roles import Right, Role, has_right
from adlab.services.isolation_attacks import hidden_from
from adlab.storage import access
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.hardening import findings

# Views without a client: why anybody may read them, or who may.
WITHOUT_CLIENT = {
    "api.epochs": "changes of Meta's own counting, the same for everybody",
    "api.fx_rates": "public rates",
    "api.isolation_runs": "rows for who operates or audits",
    "api.people": "rows for who grants",
    "api.workers": "rows for who operates",
}
# Views whose rows of clients are for a right in the agency, not for a grant on the client.
BY_RIGHT = {
    "api.audit": (Right.SEE_AUDIT,),
    "api.grants": (Right.GRANT, Right.SEE_AUDIT),
    "api.agency_jobs": (Right.OPERATE,),
}

# What people may call, and what each function promises.
FOR_READERS = {
    "api.audit_check()": "verdict on the chain, for who audits",
    "api.audit_state()": "length and signatures of the chain, for who audits",
    "api.note(text,text[],jsonb)": "writes allow-listed actions in the caller's name",
    "api.propose_change(jsonb)": "keeps a proposal where the caller has the right, sends nothing",
    "api.schema_version()": "version of the schema",
    "api.set_budgets(jsonb)": "sets budgets of clients the caller may plan for",
    "api.set_goals(jsonb)": "sets goals of clients the caller may plan for",
    "api.take_limits()": "lowers limits of the caller's transaction",
    "api.whoami()": "tells the caller of themselves",
}
FOR_BOARDS = {
    "sec.api_token(text)": "person behind a token's number",
    "sec.use_login_link(bytea)": "takes a one-time link",
    "sec.viewer(integer)": "role to take for a signed-in person",
    "sec.viewer_named(text)": "the same by the hub's name",
}
FOR_HOOKS = {
    "sec.refuse_webhooks(jsonb,timestamp with time zone)": "counts refused deliveries",
    "sec.take_webhooks(jsonb,timestamp with time zone)": "keeps deliveries",
}
HOW_TO = (
    "say who may call it and what it promises in tests/isolation/test_walk.py, revoke it from "
    "PUBLIC, and add attacks on it to services/isolation_attacks_*.py"
)

_RELATIONS = (
    "SELECT n.nspname, c.relname, EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid "
    "AND a.attname = 'client_id' AND NOT a.attisdropped) FROM pg_class c JOIN pg_namespace n ON "
    "n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND "
    "n.nspname !~ '^pg_(toast|temp)' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
)
_CALLABLE = (
    "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace::regnamespace::text IN "
    "('api', 'app', 'sec', 'public') AND has_function_privilege(%s, p.oid, 'EXECUTE') AND NOT EXISTS "
    "(SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND "
    "d.deptype = 'e') ORDER BY 1"
)
# Volatile functions of extensions that shape a query's own output and nothing else.
HARMLESS = {"time_bucket_gapfill", "locf", "interpolate"}


@pytest.fixture
def admin(town: Town) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(town.superuser, autocommit=True) as link:
        yield link


@pytest.mark.parametrize("role", list(Role), ids=lambda r: r.value)
def test_every_relation_gives_rows_of_granted_clients_only(
    town: Town, admin: psycopg.Connection[Any], role: Role
) -> None:
    relations = admin.execute(_RELATIONS).fetchall()
    assert {("app", "insights_daily", True), ("sec", "connection", True)} <= set(relations)
    subject, foreign = town.subject(role), town.world.foreign.client_id
    readable = set()
    with psycopg.connect(town.url(town.people[role]), autocommit=True) as link:
        for schema, name, has_client in relations:
            try:
                rows = link.execute(
                    sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, name))
                ).fetchall()
            except psycopg.Error as error:
                assert error.sqlstate in ("42501", "0A000", "55000", "42809"), (schema, name, error)
                continue
            full = f"{schema}.{name}"
            readable.add(full)
            shown = repr(rows)
            assert not [w for w in hidden_from(subject, town.world) if w in shown], full
            assert has_client or full in WITHOUT_CLIENT, f"{full} has no client: say why it may"
            rights = (Right.SEE_ALL_CLIENTS, *BY_RIGHT.get(full, ()))
            if has_client and not any(has_right(role.value, r) for r in rights):
                query = sql.SQL("SELECT count(*) FROM {} WHERE client_id = %s")
                counted = query.format(sql.Identifier(schema, name))
                assert link.execute(counted, (foreign,)).fetchone() == (0,), full
    assert {r for r in readable if not r.startswith("api.")} == set()
    assert "api.insights_daily" in readable


def test_every_table_with_clients_holds_a_row_that_could_leak(
    town: Town, admin: psycopg.Connection[Any]
) -> None:
    tables = _RELATIONS.replace("('r', 'p', 'v', 'm', 'f', 'S')", "('r', 'p')")
    for schema, name, has_client in admin.execute(tables).fetchall():  # type: ignore[call-overload]
        if has_client and schema in ("app", "sec"):
            query = sql.SQL("SELECT count(*) > 0 FROM {} WHERE client_id = %s")
            table = sql.Identifier(schema, name)
            found = admin.execute(query.format(table), (town.world.foreign.client_id,)).fetchone()
            assert found == (True,), f"{schema}.{name}"


def test_every_view_for_people_is_a_barrier(admin: psycopg.Connection[Any]) -> None:
    open_views = admin.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'api'::regnamespace AND "
        "(c.relkind <> 'v' OR NOT coalesce(c.reloptions, '{}') && "
        "ARRAY['security_barrier=true', 'security_barrier=on', 'security_barrier'])"
    ).fetchall()
    assert open_views == []


@pytest.mark.parametrize(
    ("role", "listed"),
    [("adlab_reader", FOR_READERS), ("adlab_boards", FOR_BOARDS), ("adlab_hooks", FOR_HOOKS)],
)
def test_every_function_that_can_be_called_has_a_contract(
    admin: psycopg.Connection[Any], role: str, listed: dict[str, str]
) -> None:
    found = {row[0] for row in admin.execute(_CALLABLE, (role,))}
    assert found == set(listed), f"{sorted(found ^ set(listed))}: {HOW_TO}"


def test_every_function_that_acts_for_the_owner_has_a_fixed_path(
    admin: psycopg.Connection[Any],
) -> None:
    loose = admin.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.prosecdef AND "
        "p.pronamespace::regnamespace::text IN ('api', 'app', 'sec', 'public') AND NOT "
        "coalesce(p.proconfig, '{}') && ARRAY['search_path=pg_catalog', "
        "'search_path=pg_catalog, pg_temp']"
    ).fetchall()
    assert loose == []


def test_functions_of_extensions_that_people_may_call_change_nothing(
    admin: psycopg.Connection[Any],
) -> None:
    volatile = admin.execute(
        "SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND "
        "d.classid = 'pg_proc'::regclass AND d.deptype = 'e' WHERE p.provolatile = 'v' AND "
        "p.prorettype NOT IN ('trigger'::regtype, 'language_handler'::regtype) AND "
        "p.proname NOT LIKE 'plpgsql%' AND has_function_privilege('adlab_reader', p.oid, 'EXECUTE')"
    ).fetchall()
    assert {row[0] for row in volatile} <= HARMLESS


def test_nothing_is_open_that_should_not_be(town: Town) -> None:
    with transaction(town.engine) as c:
        assert findings(c) == []


def test_statistics_know_no_name(town: Town, admin: psycopg.Connection[Any]) -> None:
    """What the planner collected, EXPLAIN can be asked for: so names must not be collected."""
    found = admin.execute(
        "SELECT schemaname, tablename, attname FROM pg_stats WHERE schemaname IN ('app', 'sec', "
        "'_timescaledb_internal') AND concat(most_common_vals::text, histogram_bounds::text) ~ %s",
        (f"{town.world.foreign.slug}|{town.world.foreign.name}|{town.world.own.slug}",),
    ).fetchall()
    assert [f for f in found if f[2] not in ("details", "state", "facts")] == []


def test_without_that_an_estimate_would_confirm_a_guessed_name(
    town: Town, admin: psycopg.Connection[Any]
) -> None:
    """The control of the attacks `explain-guess` and `explain-halve`."""
    from adlab.services.isolation_attacks import attacks
    from adlab.services.isolation_attempt import attempt
    from adlab.storage.probe import Probe

    admin.execute("ALTER TABLE app.object ALTER name SET STATISTICS 100")
    admin.execute("ANALYZE app.object")
    probe = Probe(town.url(town.people[Role.ANALYST]))
    try:
        for attack in attacks():
            if attack.name in ("explain-guess", "explain-halve"):
                verdict = attempt(probe, attack, town.subject(Role.ANALYST), town.world)
                assert verdict.outcome == "leak", verdict
    finally:
        probe.close()
        admin.execute("ALTER TABLE app.object ALTER name SET STATISTICS 0")
        admin.execute("DELETE FROM pg_statistic WHERE starelid = 'app.object'::regclass")


def test_each_sees_exactly_their_own(town: Town) -> None:
    own = town.world.own
    for role in (Role.ACCOUNT_MANAGER, Role.ANALYST, Role.CLIENT_VIEWER, Role.CLIENT_APPROVER,
                 Role.SERVICE):  # fmt: skip
        with psycopg.connect(town.url(town.people[role])) as link:
            rows = link.execute("SELECT DISTINCT client_id, spend_micro FROM api.insights_daily")
            assert rows.fetchall() == [(own.client_id, own.spend)], role
            assert link.execute("SELECT count(*) FROM api.actions").fetchone() == (6,), role
            assert link.execute("SELECT clients FROM api.whoami()").fetchone() == ([own.slug],)


def test_an_auditor_sees_no_client(town: Town) -> None:
    with psycopg.connect(town.url(town.people[Role.AUDITOR])) as link:
        for view in ("clients", "accounts", "objects", "insights_daily", "reports", "connections"):
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("api", view))
            assert link.execute(query).fetchone() == (0,), view
        assert link.execute("SELECT count(*) > 0 FROM api.audit").fetchone() == (True,)


def test_somebody_without_a_grant_sees_no_row(town: Town, admin: psycopg.Connection[Any]) -> None:
    with transaction(town.engine) as c:
        access.store_person(c, "Eve", Role.ANALYST)
        user, password = access.create_credential(c, "Eve")
    url = libpq_url(town.engine.url.set(username=user, password=password))
    views = admin.execute(_RELATIONS + " AND n.nspname = 'api'").fetchall()
    assert len(views) > 30
    with psycopg.connect(url) as link:
        for schema, name, has_client in views:
            if has_client:
                query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))
                assert link.execute(query).fetchone() == (0,), name


def test_an_expired_grant_or_login_sees_nothing_at_once(town: Town) -> None:
    person, own = town.people[Role.ANALYST], town.world.own.client_id
    with psycopg.connect(town.url(person), autocommit=True) as link:
        count = "SELECT count(*) FROM api.insights_daily"
        assert link.execute(count).fetchone() == (6,)
        changes = (
            ("UPDATE sec.access SET expires_at = {} WHERE client_id = :it AND NOT implied", own),
            ("UPDATE sec.login SET expires_at = {} WHERE login = :it", person.login),
        )
        for change, it in changes:
            for until, seen in (("now()", 0), ("now() + interval '1 hour'", 6)):
                with transaction(town.engine) as c:
                    c.execute(text(change.format(until)), {"it": it})
                assert link.execute(count).fetchone() == (seen,), change


@pytest.mark.parametrize("role", ["adlab_owner", "adlab_boards", "the other viewer"])
def test_a_login_set_to_start_as_another_starts_as_itself(town: Town, role: str) -> None:
    person = town.people[Role.CLIENT_VIEWER]
    name = town.other.viewer if role == "the other viewer" else role
    with psycopg.connect(town.url(person), autocommit=True) as link:
        link.execute("SET default_transaction_read_only = off")
        link.execute(f"ALTER ROLE {person.login} SET role = '{name}'")  # type: ignore[call-overload]
    with psycopg.connect(town.url(person), autocommit=True) as link:
        assert link.execute("SELECT current_user, current_setting('role')").fetchone() == (
            person.login, "none",
        )  # fmt: skip
        assert link.execute("SELECT array_agg(slug) FROM api.clients").fetchone() == (
            [town.world.own.slug],
        )
        link.execute("SET default_transaction_read_only = off")
        link.execute(f"ALTER ROLE {person.login} RESET role")  # type: ignore[call-overload]


def test_a_session_that_listens_hears_nothing(town: Town) -> None:
    with psycopg.connect(town.url(town.people[Role.ANALYST]), autocommit=True) as link:
        for channel in ("adlab", "client", "insights", "ingest", "public"):
            link.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        with transaction(town.engine) as c:
            access.store_person(c, "Somebody New", Role.ANALYST)
            access.grant(c, "Somebody New", town.world.foreign.slug, Role.ANALYST)
        assert list(link.notifies(timeout=0.2, stop_after=1)) == []


def test_the_boards_service_is_nobody_until_it_takes_a_role(town: Town) -> None:
    viewer = town.people[Role.ANALYST].viewer
    with psycopg.connect(town.boards, autocommit=True) as link:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            link.execute("SELECT count(*) FROM api.insights_daily")
        with link.transaction():
            link.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(viewer)))
            rows = link.execute("SELECT DISTINCT client_id FROM api.insights_daily").fetchall()
            assert rows == [(town.world.own.client_id,)]
        for attack in ("SELECT count(*) FROM api.insights_daily", "SET ROLE adlab_owner"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(attack)  # type: ignore[call-overload]


def test_a_barrier_is_what_stops_a_leaky_function(
    town: Town, admin: psycopg.Connection[Any]
) -> None:
    """The control of the leaky attacks: on the same view without its barrier they do leak."""
    from adlab.services.isolation_attacks import attacks
    from adlab.services.isolation_attempt import attempt
    from adlab.storage.probe import Probe

    person = town.people[Role.ANALYST]
    database = make_url(town.superuser).database
    admin.execute("ALTER VIEW api.insights_daily SET (security_barrier = false)")
    admin.execute(f"GRANT TEMPORARY ON DATABASE {database} TO {person.login}")  # type: ignore[call-overload]
    probe = Probe(libpq_url(town.url(person)))
    try:
        for attack in attacks():
            if attack.name in ("leaky-function", "leaky-operator", "division"):
                verdict = attempt(probe, attack, town.subject(Role.ANALYST), town.world)
                assert verdict.outcome == "leak", verdict
    finally:
        probe.close()
        admin.execute("ALTER VIEW api.insights_daily SET (security_barrier = true)")
        admin.execute(f"REVOKE TEMPORARY ON DATABASE {database} FROM {person.login}")  # type: ignore[call-overload]
