"""Each person tries to see their neighbour's client through everything they can name.

Two clients with data; Ann is granted the first, Ben the second. Every attack runs as Ann with her own
login, on both engines. A positive control shows that the dangerous attacks do work where there is
no barrier, so that a passing test proves something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, make_url
from tests.conftest import create_database, drop_database

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level
from adlab.core.periods import DateRange
from adlab.core.roles import Role
from adlab.storage import access
from adlab.storage.clients import store_client
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.engine import owner_engine as make_owner_engine
from adlab.storage.insights import store_insights
from adlab.storage.migrate import migrate
from adlab.storage.objects import store_account, store_objects

DAY = date(2026, 11, 10)


@dataclass(frozen=True)
class Town:
    """Two clients, and a login of each person."""

    ann: str
    ben: str
    nobody: str
    superuser: str
    acme: int
    beta: int


def _row(object_id: int, spend: int) -> tuple[object, ...]:
    hot = [spend, 1000, 900, 50, 40, *([1] * 8), 2_000_000, 0, 0, 0]
    return (DAY.isoformat(), object_id, *hot, "7d_click", None, None, None, b'{"actions":[{"action_type":"purchase","value":"7"}]}')  # fmt: skip


def _fill(engine: Engine, slug: str, account: int) -> int:
    with transaction(engine) as c:
        client = store_client(c, f"Client {slug}", slug)
        info = AccountInfo(AccountId(account), f"Account {slug}", "EUR", "Europe/Berlin", 1)
        store_account(c, info, client.client_id)
        store_objects(
            c, client.client_id, account,
            [AdObject(Level.CAMPAIGN, account * 10, f"Campaign {slug}", status="ACTIVE")],
        )  # fmt: skip
        for level, object_id in ((Level.ACCOUNT, account), (Level.CAMPAIGN, account * 10)):
            store_insights(
                c, client_id=client.client_id, account_id=account, level=level,
                period=DateRange(DAY, DAY), rows=[_row(object_id, account)],
            )  # fmt: skip
    return client.client_id


def _login(engine: Engine, name: str) -> str:
    with transaction(engine) as c:
        user, password = access.create_credential(c, name)
    return libpq_url(engine.url.set(username=user, password=password))


@pytest.fixture(scope="module")
def engine_and_url(any_server: str) -> Iterator[tuple[Engine, str]]:
    """One database for this module on each engine."""
    url = create_database(any_server)
    migrate(url)
    engine = make_owner_engine(url)
    yield engine, url
    engine.dispose()
    drop_database(any_server, url)


@pytest.fixture(scope="module")
def any_engine(engine_and_url: tuple[Engine, str]) -> Engine:
    return engine_and_url[0]


@pytest.fixture(scope="module")
def town(engine_and_url: tuple[Engine, str]) -> Iterator[Town]:
    any_engine, any_database = engine_and_url
    acme, beta = _fill(any_engine, "acme", 1001), _fill(any_engine, "beta", 2002)
    with transaction(any_engine) as c:
        for name in ("ann", "ben", "eve"):
            access.store_person(c, name, Role.ANALYST)
        access.grant(c, "ann", "acme", Role.ANALYST)
        access.grant(c, "ben", "beta", Role.ANALYST)
    yield Town(
        _login(any_engine, "ann"), _login(any_engine, "ben"), _login(any_engine, "eve"),
        make_url(any_database).set(drivername="postgresql").render_as_string(False), acme, beta,
    )  # fmt: skip


def _relations(url: str) -> list[tuple[str, str, bool]]:
    """Every relation of the database: schema, name, and whether it has client_id."""
    with psycopg.connect(url) as link:
        return link.execute(
            "SELECT n.nspname, c.relname, EXISTS (SELECT 1 FROM pg_attribute a"
            "  WHERE a.attrelid = c.oid AND a.attname = 'client_id' AND NOT a.attisdropped)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
            " AND n.nspname !~ '^pg_toast' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()


def test_a_second_persons_login_reads_no_row_of_the_first_ones_client(town: Town) -> None:
    """The generic test: every relation that exists, so that a new table cannot be forgotten."""
    relations = _relations(town.superuser)
    names = {f"{s}.{r}" for s, r, _ in relations}
    assert {"app.insights_daily", "api.insights_daily", "sec.connection"} <= names
    readable = set()
    for schema, name, has_client in relations:
        with psycopg.connect(town.ben) as link:
            table = sql.Identifier(schema, name)
            try:
                rows = link.execute(sql.SQL("SELECT * FROM {}").format(table)).fetchall()
            except psycopg.Error as error:
                assert error.sqlstate in ("42501", "0A000", "55000", "42809"), (schema, name, error)
                continue
            readable.add(f"{schema}.{name}")
            text = repr(rows)
            assert "acme" not in text, (schema, name)
            assert "1001" not in text or schema.startswith("timescaledb"), (schema, name)
            if has_client:
                query = sql.SQL("SELECT count(*) FROM {} WHERE client_id = %s").format(table)
                assert link.execute(query, (town.acme,)).fetchone() == (0,), (schema, name)
    assert {r for r in readable if not r.startswith("api.")} == set()
    assert "api.insights_daily" in readable


def test_each_sees_exactly_their_own(town: Town) -> None:
    for url, client, spend in ((town.ann, town.acme, 1001), (town.ben, town.beta, 2002)):
        with psycopg.connect(url) as link:
            rows = link.execute("SELECT DISTINCT client_id, spend_micro FROM api.insights_daily")
            assert rows.fetchall() == [(client, spend)]
            assert link.execute("SELECT count(*) FROM api.actions").fetchone() == (2,)
            assert link.execute("SELECT count(*) FROM api.account_daily").fetchone() == (2,)


def test_somebody_without_a_grant_sees_nothing(town: Town) -> None:
    with psycopg.connect(town.nobody) as link:
        for view in ("clients", "accounts", "objects", "insights_daily", "actions", "account_daily",
                     "object_history", "sync_state", "imports", "connections", "audit"):  # fmt: skip
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("api", view))
            assert link.execute(query).fetchone() == (0,), view


def test_an_expired_grant_or_login_sees_nothing_at_once(town: Town, any_engine: Engine) -> None:
    with psycopg.connect(town.ann, autocommit=True) as link:
        count = "SELECT count(*) FROM api.insights_daily"
        assert link.execute(count).fetchone() == (2,)
        with transaction(any_engine) as c:
            c.exec_driver_sql(
                "UPDATE sec.access SET expires_at = now() WHERE client_id = %s", (town.acme,)
            )
        assert link.execute(count).fetchone() == (0,)
        with transaction(any_engine) as c:
            c.exec_driver_sql("UPDATE sec.access SET expires_at = NULL")
        assert link.execute(count).fetchone() == (2,)
        user = make_url(town.ann).username
        with transaction(any_engine) as c:
            c.exec_driver_sql("UPDATE sec.login SET expires_at = now() WHERE login = %s", (user,))
        assert link.execute(count).fetchone() == (0,)
        with transaction(any_engine) as c:
            c.exec_driver_sql("UPDATE sec.login SET expires_at = NULL WHERE login = %s", (user,))


LEAK = """
CREATE FUNCTION pg_temp.leak(bigint) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS $$
BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$
"""
NO_INDEX = "SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off"


def _notices(link: psycopg.Connection[tuple[object, ...]], relation: str) -> str:
    seen: list[str] = []
    link.add_notice_handler(lambda note: seen.append(note.message_primary or ""))
    link.execute(NO_INDEX)
    link.execute(f"SELECT count(*) FROM {relation} WHERE pg_temp.leak(spend_micro)")  # type: ignore[call-overload]
    return " ".join(seen)


def test_a_leaky_function_sees_only_rows_that_pass_the_filter(town: Town) -> None:
    with psycopg.connect(town.superuser, autocommit=True) as admin:
        # The positive control: a plain view with the same filter does leak.
        database = make_url(town.superuser).database
        admin.execute(
            "CREATE OR REPLACE VIEW public.plain AS SELECT * FROM app.insights_daily WHERE client_id IN "
            "(SELECT client_id FROM sec.visible)"
        )
        user = make_url(town.ann).username
        admin.execute(f"GRANT SELECT ON public.plain TO {user}")  # type: ignore[call-overload]
        admin.execute(f"GRANT TEMPORARY ON DATABASE {database} TO {user}")  # type: ignore[call-overload]
    with psycopg.connect(town.ann, autocommit=True) as link:
        link.execute("SET default_transaction_read_only = off")
        link.execute(LEAK)
        assert "seen 2002" in _notices(link, "public.plain")
        seen = _notices(link, "api.insights_daily")
        assert "seen 1001" in seen
        assert "2002" not in seen
        link.execute("SELECT 1 FROM api.insights_daily WHERE 1 / (spend_micro - 2002) < 5")
        with pytest.raises(psycopg.errors.DivisionByZero):
            link.execute("SELECT 1 FROM public.plain WHERE 1 / (spend_micro - 2002) < 5")
    with psycopg.connect(town.superuser, autocommit=True) as admin:
        admin.execute(f"REVOKE TEMPORARY ON DATABASE {database} FROM {user}")  # type: ignore[call-overload]
        admin.execute("DROP VIEW public.plain")


@pytest.mark.parametrize(
    "attack",
    [
        "SET ROLE adlab_owner",
        "SET SESSION AUTHORIZATION adlab_owner",
        "SET ROLE adlab_boards",
        "CREATE TABLE api.mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "CREATE FUNCTION api.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "CREATE TEMP TABLE mine (x int)",
        "CREATE ROLE mine",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "INSERT INTO sec.access (person_id, client_id, role, sees_data) VALUES (1, 1, 'owner', true)",
        "UPDATE sec.login SET person_id = 1",
        "DELETE FROM app.insights_daily",
        "INSERT INTO api.clients (slug, name) VALUES ('x', 'x')",
        "COPY app.insights_daily TO STDOUT",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY api.clients TO '/tmp/clients'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT sec.viewer(1)",
        "SELECT sec.use_login_link('x')",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_statistic",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'adlab_owner'",
        "ALTER VIEW api.insights_daily SET (security_barrier = false)",
        "DROP VIEW api.insights_daily CASCADE",
        "GRANT SELECT ON app.insights_daily TO PUBLIC",
        "REFRESH MATERIALIZED VIEW app.insights_daily",
        "ALTER SYSTEM SET log_statement = 'all'",
        "CREATE EXTENSION dblink",
        "SELECT dblink('host=127.0.0.1', 'SELECT 1')",
        "DO $$ BEGIN PERFORM set_config('role', 'adlab_owner', false); END $$",
        "PREPARE x AS SELECT * FROM app.client; EXECUTE x",
        "DECLARE c CURSOR FOR SELECT * FROM sec.person; FETCH ALL FROM c",
        "EXPLAIN ANALYZE SELECT * FROM app.insights_daily",
        "TABLE sec.connection",
        "LOCK TABLE app.insights_daily IN ACCESS EXCLUSIVE MODE",
        "TRUNCATE app.insights_daily",
        "CREATE PUBLICATION p FOR TABLE app.insights_daily",
    ],
)  # fmt: skip
def test_what_a_person_may_not_do_is_refused(town: Town, attack: str) -> None:
    with psycopg.connect(town.ann, autocommit=True) as link:
        link.execute("SET default_transaction_read_only = off")
        try:
            result = link.execute(attack)  # type: ignore[call-overload]
        except psycopg.Error:
            return
        # pg_terminate_backend over other people's sessions may simply find none to end.
        assert "pg_terminate" in attack
        assert not any(row[0] for row in result.fetchall())


def test_settings_move_no_wall(town: Town) -> None:
    with psycopg.connect(town.ann, autocommit=True) as link:
        for setting in (
            "SET search_path = app, sec, api, public",
            "SELECT set_config('app.tenant', '2', false)",
            "SET row_security = off",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        ):
            link.execute(setting)  # type: ignore[call-overload]
        rows = link.execute("SELECT DISTINCT client_id FROM api.insights_daily").fetchall()
        assert rows == [(town.acme,)]


def test_error_texts_and_existence_say_nothing(town: Town) -> None:
    """A foreign client and one that does not exist look the same."""
    with psycopg.connect(town.ann, autocommit=True) as link:
        for client in (town.beta, 999_999):
            query = "SELECT name FROM api.clients WHERE client_id = %s"
            assert link.execute(query, (client,)).fetchall() == []


def test_functions_open_to_people_are_exactly_those_of_api(town: Town) -> None:
    with psycopg.connect(town.ann) as link:
        open_functions = link.execute(
            "SELECT n.nspname || '.' || p.proname FROM pg_proc p"
            " JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE has_function_privilege(p.oid, 'EXECUTE')"
            " AND n.nspname IN ('api', 'app', 'sec')"
        ).fetchall()
    assert sorted(r[0] for r in open_functions) == [
        "api.schema_version",
        "api.set_budgets",
        "api.set_goals",
        "api.take_limits",
        "api.whoami",
    ]


def test_whoami_tells_only_of_oneself(town: Town) -> None:
    with psycopg.connect(town.ann) as link:
        row = link.execute("SELECT name, role, clients FROM api.whoami()").fetchone()
    assert row == ("ann", "analyst", ["acme"])


def test_nothing_is_open_that_should_not_be(town: Town, any_engine: Engine) -> None:
    from adlab.storage.hardening import findings

    with transaction(any_engine) as c:
        assert findings(c) == []


def test_the_boards_service_is_nobody_until_it_takes_a_role(town: Town, any_engine: Engine) -> None:
    with transaction(any_engine) as c:
        user, password = access.create_boards_login(c)
        ann = access.load_person(c, "ann")["viewer"]
    url = libpq_url(any_engine.url.set(username=user, password=password))
    with psycopg.connect(url, autocommit=True) as link:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            link.execute("SELECT count(*) FROM api.insights_daily")
        with link.transaction():
            link.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(ann)))
            rows = link.execute("SELECT DISTINCT client_id FROM api.insights_daily").fetchall()
            assert rows == [(town.acme,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            link.execute("SELECT count(*) FROM api.insights_daily")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            link.execute("SET ROLE adlab_owner")
