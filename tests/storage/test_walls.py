"""A hole that is opened again is named, and closed where nobody has to decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from adlab.core.roles import Role
from adlab.services.diagnosis import check_database
from adlab.storage import access
from adlab.storage.engine import connect_engine, owner_engine, transaction
from adlab.storage.migrate import migrate
from adlab.storage.walls import holes


@pytest.fixture
def admin(any_database: str) -> Iterator[Engine]:
    engine = connect_engine(any_database)
    yield engine
    engine.dispose()


def opened(admin: Engine, *statements: str) -> None:
    with transaction(admin) as c:
        for statement in statements:
            c.execute(text(statement))


def found(admin: Engine) -> list[str]:
    with transaction(admin) as c:
        return [h.what for h in holes(c)]


def test_the_walls_stand_after_a_migrate(admin: Engine) -> None:
    assert found(admin) == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("GRANT CREATE ON SCHEMA api TO PUBLIC", "CREATE on schema api"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "CREATE on schema public"),
        ("GRANT USAGE ON SCHEMA sec TO adlab_reader", "USAGE on schema sec"),
        ("GRANT SELECT ON app.insights_daily TO PUBLIC", "reading app.insights_daily"),
        ("GRANT SELECT (name) ON sec.person TO adlab_reader", "reading sec.person"),
        ("GRANT UPDATE ON api.clients TO adlab_reader", "writing to api.clients"),
        ("GRANT DELETE ON api.clients TO PUBLIC", "writing to api.clients"),
        ("ALTER VIEW api.clients RESET (security_barrier)", "no barrier around api.clients"),
        ("ALTER VIEW api.clients SET (security_barrier = off)", "no barrier around api.clients"),
        ("GRANT EXECUTE ON FUNCTION sec.caller() TO PUBLIC", "calling sec.caller()"),
        ("ALTER FUNCTION api.whoami() RESET search_path",
         "a function of its owner's rights without a search_path: api.whoami()"),
        ("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC",
         "reading files of the server: pg_read_file(text)"),
        ("GRANT SELECT ON pg_statistic TO PUBLIC", "reading pg_statistic"),
        ("GRANT USAGE ON SEQUENCE app.client_client_id_seq TO adlab_reader",
         "sequence app.client_client_id_seq"),
    ],
)  # fmt: skip
def test_what_is_opened_again_is_named_and_closed(
    admin: Engine, any_database: str, statement: str, named: str
) -> None:
    opened(admin, statement)
    assert found(admin) == [named]
    (line,) = [f for f in check_database(any_database) if f.name == "isolation"]
    assert (line.ok, named in line.detail) == (False, True)
    assert "superuser" in line.remedy
    migrate(any_database)
    assert found(admin) == []
    (line,) = [f for f in check_database(any_database) if f.name == "isolation"]
    assert line.ok, line.detail


def test_temporary_tables_are_refused_and_a_grant_of_them_is_found(
    admin: Engine, any_database: str
) -> None:
    with transaction(admin) as c:
        name = c.scalar(text("SELECT quote_ident(current_database())"))
        c.execute(text(f"GRANT TEMPORARY ON DATABASE {name} TO PUBLIC"))
    assert found(admin) == ["temporary tables"]
    migrate(any_database)
    assert found(admin) == []


@pytest.mark.parametrize(
    ("opens", "named"),
    [
        ("GRANT pg_read_all_stats TO {}", "{} is in pg_read_all_stats"),
        ("GRANT adlab_boards TO {}", "{} is in adlab_boards"),
        ("ALTER ROLE {} BYPASSRLS", "more than a login: {}"),
        ("ALTER ROLE {} CREATEROLE", "more than a login: {}"),
    ],
)
def test_a_login_that_is_more_than_a_login(
    admin: Engine, any_database: str, opens: str, named: str
) -> None:
    owner = owner_engine(any_database)
    with transaction(owner) as c:
        access.store_person(c, "ann", Role.ANALYST)
        login, _ = access.create_credential(c, "ann")
    assert found(admin) == []
    opened(admin, opens.format(login))
    assert found(admin) == [named.format(login)]
    migrate(any_database)
    assert found(admin) == []
    with transaction(owner) as c:
        access.drop_credential(c, login)
    owner.dispose()


def test_an_extension_that_leads_outside_is_a_finding_a_person_settles(
    admin: Engine, any_database: str
) -> None:
    opened(admin, "CREATE EXTENSION postgres_fdw")
    migrate(any_database)
    assert found(admin) == ["extension postgres_fdw"], "adlab drops nothing of others"
    (line,) = [f for f in check_database(any_database) if f.name == "isolation"]
    assert "extension postgres_fdw" in line.detail
    assert "a person must drop" in line.remedy


def test_another_persons_statements_are_hidden(
    any_database: str, any_engine: Engine, reading: Callable[[str], str]
) -> None:
    import psycopg

    with transaction(any_engine) as c:
        access.store_person(c, "ann", Role.ANALYST)
        access.store_person(c, "ben", Role.ANALYST)
    with psycopg.connect(reading("ann")) as hers, psycopg.connect(reading("ben")) as his:
        hers.execute("SELECT 'only ann knows'")
        texts = his.execute("SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        assert not [t for (t,) in texts if t and "only ann" in t]


@pytest.fixture
def reading(any_engine: Engine) -> Callable[[str], str]:
    from adlab.storage.engine import libpq_url

    def url(name: str) -> str:
        with transaction(any_engine) as c:
            user, password = access.create_credential(c, name)
        return libpq_url(any_engine.url.set(username=user, password=password))

    return url
