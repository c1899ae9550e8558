"""The audit log: append-only, chained, and honest about what people's programs may add."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import Engine, text

from adlab.core.errors import AdlabError
from adlab.core.roles import Role
from adlab.storage import access, audit, query_log
from adlab.storage.clients import store_client
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.statements import statement
from adlab.storage.tenancy import LoginReader


def _broken(engine: Engine) -> list[str]:
    with transaction(engine) as c:
        return [r["problem"] for r in c.execute(statement("audit_broken")).mappings()]


def _chain(engine: Engine) -> int:
    with transaction(engine) as c:
        return int(c.scalar(text("SELECT chain_no FROM sec.audit_head")) or 0)


def _url(engine: Engine, name: str) -> str:
    with transaction(engine) as c:
        login, password = access.create_credential(c, name)
    return libpq_url(engine.url.set(username=login, password=password))


def _reader(engine: Engine, name: str) -> LoginReader:
    return LoginReader(_url(engine, name))


def _require_counting(engine: Engine) -> None:
    """Statements are counted here; a server that is not ours may lack the library, ours may not."""
    with transaction(engine) as c:
        counting = query_log.is_on(c)
        foreign = c.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"))
    if foreign and not counting:
        pytest.skip(f"this server does not count statements: {query_log.REMEDY}")
    assert counting


@pytest.fixture
def town(any_engine: Engine) -> Engine:
    """Two clients; Ann sees the first, Aude audits."""
    with transaction(any_engine) as c:
        store_client(c, "Acme", "acme")
        store_client(c, "Beta", "beta")
        access.store_person(c, "Ann", Role.ANALYST)
        access.store_person(c, "Aude", Role.AUDITOR)
        access.grant(c, "Ann", "acme", Role.ANALYST)
    return any_engine


def test_each_entry_is_linked_when_its_transaction_commits(town: Engine) -> None:
    before = _chain(town)
    with transaction(town) as c:
        audit.record(c, "test.one", number=1)
        audit.record(c, "test.two", number=2)
        assert c.scalar(text("SELECT chain_no FROM sec.audit_head")) == before
    assert _chain(town) == before + 2
    assert _broken(town) == []


def test_what_was_rolled_back_is_no_part_of_the_chain(town: Engine) -> None:
    before = _chain(town)

    def fail() -> None:
        with transaction(town) as c:
            audit.record(c, "test.lost")
            c.execute(text("SELECT 1/0"))

    with pytest.raises(AdlabError):
        fail()
    assert _chain(town) == before
    assert _broken(town) == []


def test_writers_side_by_side_make_one_chain(town: Engine) -> None:
    before = _chain(town)

    def write(number: int) -> None:
        with transaction(town) as c:
            audit.record(c, "test.many", number=number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))
    assert _chain(town) == before + 80
    assert _broken(town) == []


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE sec.audit SET actor = 'somebody else' WHERE action = 'user.grant'",
         "the entry or its hash was changed"),
        ("UPDATE sec.audit SET details = details || '{\"role\": \"owner\"}' WHERE action = 'user.grant'",
         "the entry or its hash was changed"),
        ("UPDATE sec.audit SET at = at - interval '1 day' WHERE action = 'user.grant'",
         "the entry or its hash was changed"),
        ("UPDATE sec.audit SET client_id = NULL WHERE action = 'user.grant'",
         "the entry or its hash was changed"),
        ("DELETE FROM sec.audit WHERE action = 'user.grant'", "the entry was removed"),
        ("DELETE FROM sec.audit_chain WHERE chain_no = 2",
         "entries before it are missing in the chain"),
        ("DELETE FROM sec.audit_chain WHERE chain_no = (SELECT max(chain_no) FROM sec.audit_chain)",
         "the end of the chain was cut off or replaced"),
        ("DELETE FROM sec.audit_head", "the head of the chain was removed"),
        ("INSERT INTO sec.audit (actor, action) VALUES ('ghost', 'user.grant')",
         "the entry is not in the chain"),
    ],
)  # fmt: skip
def test_tampering_by_a_superuser_is_found(
    town: Engine, any_database: str, tampering: str, found: str
) -> None:
    assert _broken(town) == []
    with psycopg.connect(any_database) as c:
        # As whoever owns the machine would: without triggers.
        c.execute("SET session_replication_role = replica")
        c.execute(tampering)  # type: ignore[call-overload]
    assert found in _broken(town)


@pytest.mark.parametrize("table", ["audit", "audit_chain", "audit_anchor", "audit_head"])
@pytest.mark.parametrize("statement_", ["DELETE FROM sec.{}", "TRUNCATE sec.{}"])
def test_not_even_the_owner_removes_entries(town: Engine, table: str, statement_: str) -> None:
    with pytest.raises(AdlabError, match="append-only"), transaction(town) as c:
        c.execute(text(statement_.format(table)))


def test_a_person_notes_in_their_own_name(town: Engine) -> None:
    reader = _reader(town, "Ann")
    reader.note("notebook.query", ["acme"], metrics=["spend"])
    with transaction(town) as c:
        (entry,) = audit.search(c, action="notebook.query")
    assert (entry.actor, entry.client, entry.details) == ("Ann", "acme", {"metrics": ["spend"]})
    assert _broken(town) == []


def _link(engine: Engine) -> int:
    with transaction(engine) as c:
        return int(c.scalar(statement("audit_link_waiting")) or 0)


def test_nobody_who_types_sql_holds_up_other_writers(town: Engine) -> None:
    with psycopg.connect(_url(town, "Ann")) as holder:
        holder.execute("SET TRANSACTION READ WRITE")
        holder.execute("SET CONSTRAINTS ALL IMMEDIATE")
        holder.execute("SELECT api.note('notebook.query', '{}', '{}')")
        with transaction(town) as c:
            c.execute(text("SET LOCAL lock_timeout = '2s'"))
            audit.record(c, "test.meanwhile")
        _reader(town, "Ann").note("notebook.query", ["acme"])
        assert _link(town) == 1
    assert _link(town) == 1
    assert _broken(town) == []


def test_what_waits_is_linked_with_the_next_entry_of_ours(town: Engine) -> None:
    _reader(town, "Ann").note("notebook.query", ["acme"])
    before = _chain(town)
    assert _broken(town) == []
    with transaction(town) as c:
        audit.record(c, "test.next")
    assert _chain(town) == before + 2
    assert _link(town) == 0


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE sec.audit SET details = '{}' WHERE action = 'notebook.query'",
         "the entry was changed before it was linked"),
        ("DELETE FROM sec.audit WHERE action = 'notebook.query'",
         "the entry was removed before it was linked"),
        ("DELETE FROM sec.audit_waiting", "the entry is not in the chain"),
    ],
)  # fmt: skip
def test_tampering_with_what_waits_is_found(
    town: Engine, any_database: str, tampering: str, found: str
) -> None:
    _reader(town, "Ann").note("notebook.query", ["acme"], rows=7)
    with psycopg.connect(any_database) as c:
        c.execute("SET session_replication_role = replica")
        c.execute(tampering)  # type: ignore[call-overload]
    assert found in _broken(town)
    _link(town)
    assert found in _broken(town)


def test_an_entry_about_several_clients_names_none_to_the_others(town: Engine) -> None:
    with transaction(town) as c:
        access.grant(c, "Ann", "beta", Role.ANALYST)
        access.store_person(c, "Bob", Role.CLIENT_VIEWER)
        access.grant(c, "Bob", "beta", Role.CLIENT_VIEWER)
    _reader(town, "Ann").note("notebook.query", ["acme", "beta"])
    rows = _reader(town, "Bob").rows(
        text("SELECT * FROM api.audit WHERE action = 'notebook.query'")
    )
    assert len(rows) == 1
    assert "acme" not in json.dumps(rows, default=str)
    assert set(rows[0]) == {"audit_id", "at", "actor", "action", "client_id", "details"}
    assert rows[0]["client_id"] is None


@pytest.mark.parametrize(
    ("action", "clients", "details"),
    [
        ("user.grant", [], {}),
        ("report.publish", ["acme"], {}),
        ("board.view", ["beta"], {}),
        ("board.view", ["no-such-client"], {}),
        ("board.view", ["acme", "beta"], {}),
        ("board.view", ["acme"], {"text": "x" * 4000}),
    ],
)
def test_a_person_cannot_note_what_is_not_theirs(
    town: Engine, action: str, clients: list[str], details: dict[str, str]
) -> None:
    before = _chain(town)
    reader = _reader(town, "Ann")
    with pytest.raises(AdlabError):
        reader.call("call_note", action=action, clients=clients, details=json.dumps(details))
    reader.note(action, clients, **details)
    with transaction(town) as c:
        assert audit.search(c, action=action, actor="Ann") == []
    assert _chain(town) == before + 1  # the credential


def test_a_foreign_and_a_missing_client_are_refused_alike(town: Engine) -> None:
    reader, said = _reader(town, "Ann"), set()
    for slug in ("beta", "no-such-client"):
        with pytest.raises(AdlabError) as raised:
            reader.call("call_note", action="board.view", clients=[slug], details="{}")
        said.add(str(raised.value))
    assert len(said) == 1


def test_a_flood_of_notes_is_cut_off(town: Engine) -> None:
    reader = _reader(town, "Ann")
    with reader.connection() as c:
        login = c.scalar(text("SELECT current_user"))
    with transaction(town) as c:
        c.execute(
            text("INSERT INTO sec.audit (login, actor, action) "
                 "SELECT :login, 'Ann', 'board.view' FROM generate_series(1, 599)"),
            {"login": login},
        )  # fmt: skip
    told = [reader.call("call_note", action="board.view", clients=[], details="{}") for _ in "12"]
    assert told == [True, False]


def test_a_client_reads_its_own_log_and_an_auditor_all(town: Engine) -> None:
    with transaction(town) as c:
        audit.record(c, "test.agency")
        audit.record(c, "test.beta", client_id=2)
        audit.record(c, "test.acme", client_id=1)
        access.store_person(c, "Vic", Role.CLIENT_VIEWER)
        access.grant(c, "Vic", "acme", Role.CLIENT_VIEWER)
    query = text("SELECT action FROM api.audit WHERE action LIKE 'test.%' ORDER BY 1")
    assert [r["action"] for r in _reader(town, "Vic").rows(query)] == ["test.acme"]
    assert len(_reader(town, "Aude").rows(query)) == 3


def test_raw_sql_of_a_notebook_is_in_the_log_without_its_constants(town: Engine) -> None:
    _require_counting(town)
    url, secret = _url(town, "Ann"), "a-value-nobody-should-read"
    with psycopg.connect(url, autocommit=True) as c:
        for _ in range(3):
            c.execute(f"SELECT slug FROM api.clients WHERE slug <> '{secret}'")  # type: ignore[call-overload]
        c.execute("SET default_transaction_read_only = off")
        c.execute(f"ALTER ROLE CURRENT_USER PASSWORD '{secret}'")  # type: ignore[call-overload]
        c.execute(f"ALTER ROLE CURRENT_USER PASSWORD $x${secret}$x$")  # type: ignore[call-overload]
    with transaction(town) as c:
        assert query_log.collect(c) > 0
    with transaction(town) as c:
        found = audit.search(c, actor="Ann", action="notebook.sql", limit=1000)
        assert query_log.collect(c) == 0
    assert not [e for e in found if secret in json.dumps(e.details)]
    (mine,) = [e for e in found if "SELECT slug FROM api.clients" in e.details["query"]]
    assert mine.details["calls"] == 3
    assert [e for e in found if "ALTER ROLE" in e.details["query"]]


def test_what_a_login_asked_is_kept_when_it_is_dropped(town: Engine) -> None:
    _require_counting(town)
    reader = _reader(town, "Ann")
    reader.rows(text("SELECT count(*) AS last_words FROM api.clients"))
    with reader.connection() as c:
        login = c.scalar(text("SELECT current_user"))
    with transaction(town) as c:
        assert access.drop_credential(c, login)
    with transaction(town) as c:
        found = audit.search(c, actor="Ann", action="notebook.sql", limit=1000)
    assert [e for e in found if "last_words" in e.details["query"]]


def test_the_same_statement_later_counts_what_is_new(town: Engine) -> None:
    _require_counting(town)
    reader = _reader(town, "Ann")
    for times in (2, 5):
        for _ in range(times):
            reader.rows(text("SELECT count(*) AS n, 'marker' FROM api.accounts"))
        with transaction(town) as c:
            query_log.collect(c)
        with transaction(town) as c:
            newest = next(e for e in audit.search(c, action="notebook.sql", limit=1000)
                          if "api.accounts" in e.details["query"])  # fmt: skip
        assert newest.details["calls"] == times


def test_nobody_but_the_owner_reads_what_others_asked(town: Engine) -> None:
    _require_counting(town)
    reader = _reader(town, "Ann")
    for query in ("SELECT * FROM sec.pg_stat_statements", "SELECT * FROM sec.pg_stat_statements(true)",
                  "SELECT sec.pg_stat_statements_reset()", "SELECT * FROM pg_stat_statements"):  # fmt: skip
        with pytest.raises(AdlabError):
            reader.rows(text(query))
