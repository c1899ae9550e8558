"""Grants, roles and logins as the database sees them, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from adlab.core.errors import (
    AccessDeniedError,
    AdlabError,
    ConflictError,
    DatabaseUnavailableError,
    DataError,
    UnknownObjectError,
)
from adlab.core.roles import ROLES, Role
from adlab.services import people
from adlab.storage import access, roles
from adlab.storage.clients import store_client
from adlab.storage.engine import connect_engine, libpq_url, transaction
from adlab.storage.logins import end_overlong, end_sessions
from adlab.storage.tenancy import LoginReader, Reader, check_rows


class House:
    """Two clients, an analyst of one of them, an admin; on one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with transaction(engine) as c:
            self.acme = store_client(c, "Acme", "acme").client_id
            self.beta = store_client(c, "Beta", "beta").client_id
            access.store_person(c, "ann", Role.ANALYST)
            access.store_person(c, "ada", Role.ADMIN)
            access.grant(c, "ann", "acme", Role.ANALYST)

    def login(self, name: str, client: str | None = None, hours: float = 12) -> tuple[str, str]:
        with transaction(self.engine) as c:
            user, password = access.create_credential(c, name, hours, client)
        return user, libpq_url(self.engine.url.set(username=user, password=password))

    def sees(self, url: str) -> list[str]:
        with psycopg.connect(url) as link:
            rows = link.execute("SELECT slug FROM api.clients ORDER BY slug").fetchall()
            (told,) = link.execute("SELECT clients FROM api.whoami()").fetchall() or [([],)]
        seen = [r[0] for r in rows]
        assert told[0] == seen, "whoami tells what the views show"
        return seen

    def one(self, sql: str, **binds: Any) -> Any:
        with transaction(self.engine) as c:
            return c.scalar(text(sql), binds)

    def audited(self, action: str) -> list[dict[str, Any]]:
        with transaction(self.engine) as c:
            rows = c.execute(
                text("SELECT actor, client_id, details FROM sec.audit WHERE action = :a"),
                {"a": action},
            )
            return [dict(r) for r in rows.mappings()]


@pytest.fixture
def house(any_engine: Engine) -> Iterator[House]:
    yield House(any_engine)


# Roles as rows ------------------------------------------------------------------------------------


def test_the_databases_roles_are_a_copy_of_the_table(house: House) -> None:
    with transaction(house.engine) as c:
        rights = c.execute(text('SELECT role, "right" FROM sec.role_right')).all()
        limits = c.execute(
            text("SELECT role, statement_seconds, idle_seconds, connections, rows FROM sec.role")
        ).all()
    assert {tuple(r) for r in rights} == {
        (d.role.value, r.value) for d in ROLES.values() for r in d.rights
    }
    assert {tuple(r) for r in limits} == {
        (d.role.value, *vars(d.limits).values()) for d in ROLES.values()
    }


def test_a_change_of_the_table_reaches_people_and_grants_that_exist(
    house: House, any_database: str
) -> None:
    """As if the database were of a version in which analysts saw nothing and admins one client."""
    ann, ada = house.login("ann")[1], house.login("ada")[1]
    with transaction(house.engine) as c:
        c.execute(
            text(
                'DELETE FROM sec.role_right WHERE (role, "right") IN '
                "(('analyst', 'see_data'), ('admin', 'see_all_clients'))"
            )
        )
        c.execute(text("UPDATE sec.role SET statement_seconds = 1, connections = 1"))
        c.execute(text("UPDATE sec.access SET role = role"))
        c.execute(text("UPDATE sec.person SET role = role"))
    assert (house.sees(ann), house.sees(ada)) == ([], [])
    engine = connect_engine(any_database)
    with transaction(engine) as c:
        assert roles.apply(c)
    with transaction(engine) as c:
        assert not roles.apply(c), "a second time there is nothing to do"
    engine.dispose()
    assert (house.sees(ann), house.sees(ada)) == (["acme"], ["acme", "beta"])


def test_nobody_is_written_with_a_role_that_does_not_exist(house: House) -> None:
    with (
        pytest.raises(AdlabError, match="there is no role 'emperor'"),
        transaction(house.engine) as c,
    ):
        c.execute(text("UPDATE sec.person SET role = 'emperor' WHERE name = 'ann'"))


def test_a_grant_can_not_say_more_than_its_role(house: House) -> None:
    with transaction(house.engine) as c:
        access.store_person(c, "Otto", Role.AUDITOR)
        c.execute(
            text(
                "INSERT INTO sec.access (person_id, client_id, role, sees_data)"
                " SELECT person_id, :client, 'auditor', true FROM sec.person WHERE name = 'Otto'"
            ),
            {"client": house.acme},
        )
    assert house.sees(house.login("Otto")[1]) == []


# Grants -------------------------------------------------------------------------------------------


def test_broken_glass_ends_by_itself_and_leaves_the_earlier_grant(house: House) -> None:
    url = house.login("ann")[1]
    with transaction(house.engine) as c:
        access.break_glass(c, "ann", "beta", "tracking is down", actor="ada")
        access.break_glass(c, "ann", "acme", "the same", role=Role.ACCOUNT_MANAGER)
    assert house.sees(url) == ["acme", "beta"]
    (first, second) = house.audited("user.break_glass")
    assert (first["actor"], first["client_id"]) == ("ada", house.beta)
    assert first["details"]["reason"] == "tracking is down"
    assert second["details"]["role"] == "account_manager"
    with transaction(house.engine) as c:
        held = [(r["client"], r["given"], r["role"], r["expired"]) for r in access.review(c)
                if r["name"] == "ann"]  # fmt: skip
        c.execute(
            text("UPDATE sec.access SET expires_at = now() - interval '1 s' WHERE break_glass")
        )
    assert held == [
        ("acme", "granted", "analyst", False),
        ("acme", "break-glass", "account_manager", False),
        ("beta", "break-glass", "analyst", False),
    ]
    assert house.sees(url) == ["acme"]
    with transaction(house.engine) as c:
        ended = [r for r in access.review(c) if r["name"] == "ann" and r["expired"]]
    assert {(r["client"], r["given"]) for r in ended} == {
        ("acme", "break-glass"), ("beta", "break-glass"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (("ann", "beta", "  "), ValueError, "a reason has 1 to 500"),
        (("ann", "beta", "why", 25.0), ValueError, "at most 24"),
        (("ann", "beta", "why", 0.0), ValueError, "at most 24"),
        (("ann", "nobody", "why"), UnknownObjectError, "no client 'nobody'"),
        (("zoe", "beta", "why"), UnknownObjectError, "no person 'zoe'"),
        (("ada", "beta", "why"), ConflictError, "sees every client as admin"),
        (("Otto", "beta", "why"), ValueError, "auditor sees no data"),
    ],
)
def test_glass_that_is_not_broken(
    house: House, arguments: tuple[Any, ...], error: type[Exception], told: str
) -> None:
    with transaction(house.engine) as c:
        access.store_person(c, "Otto", Role.AUDITOR)
    with pytest.raises(error, match=told), transaction(house.engine) as c:
        access.break_glass(c, *arguments)
    assert house.audited("user.break_glass") == []


def test_a_grant_taken_is_gone_at_the_next_statement_and_sessions_end(house: House) -> None:
    with transaction(house.engine) as c:
        access.store_person(c, "ben", Role.ANALYST)
        access.grant(c, "ben", "acme", Role.ANALYST)
    ann, ben = house.login("ann")[1], house.login("ben")[1]
    with psycopg.connect(ann) as hers, psycopg.connect(ben) as his:
        # A transaction that began before would go on seeing what stood when it began.
        hers.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert hers.execute("SELECT slug FROM api.clients").fetchall() == [("acme",)]
        taken, ended = people.revoke(house.engine, "ann", "acme", actor="ada")
        assert (taken.clients, ended) == (("acme",), 1)
        with pytest.raises(psycopg.OperationalError):
            hers.execute("SELECT slug FROM api.clients")
        assert his.execute("SELECT slug FROM api.clients").fetchall() == [("acme",)]
    assert house.sees(ann) == []
    (entry,) = house.audited("user.revoke")
    assert (entry["actor"], entry["client_id"]) == ("ada", house.acme)


def test_a_viewer_on_the_boards_sees_nothing_at_the_next_statement(house: House) -> None:
    with transaction(house.engine) as c:
        user, password = access.create_boards_login(c)
        viewer = access.load_person(c, "ann")["viewer"]
    pool = connect_engine(libpq_url(house.engine.url.set(username=user, password=password)))
    reader = Reader(pool, viewer)
    assert reader.identity().clients == ("acme",)
    with reader.connection() as c:
        assert c.scalar(text("SELECT count(*) FROM api.clients")) == 1
        people.revoke(house.engine, "ann", None)
        assert c.scalar(text("SELECT count(*) FROM api.clients")) == 0
    assert reader.identity().clients == ()
    pool.dispose()


def test_a_session_for_another_client_goes_on(house: House) -> None:
    with transaction(house.engine) as c:
        access.grant(c, "ann", "beta", Role.ANALYST)
    with psycopg.connect(house.login("ann", "beta")[1], autocommit=True) as link:
        assert people.revoke(house.engine, "ann", "acme")[1] == 0
        assert link.execute("SELECT slug FROM api.clients").fetchall() == [("beta",)]


def test_what_can_not_be_taken_is_told(house: House) -> None:
    with pytest.raises(ConflictError, match="sees every client as admin") as told:
        people.revoke(house.engine, "ada", "acme")
    assert "adlab user role ada analyst" in told.value.remedy
    with pytest.raises(UnknownObjectError, match="no grant on client 'beta'") as told_too:
        people.revoke(house.engine, "ann", "beta")
    assert "acme" in told_too.value.remedy


def test_a_changed_role_brings_and_takes_what_it_implies(house: House) -> None:
    url = house.login("ann")[1]
    people.set_role(house.engine, "ann", Role.ADMIN)
    assert house.sees(url) == ["acme", "beta"]
    people.set_role(house.engine, "ann", Role.ANALYST)
    assert house.sees(url) == ["acme"], "what was granted before is there again"
    assert [e["details"]["role"] for e in house.audited("user.role")] == ["admin", "analyst"]


def test_the_last_owner_stays(house: House) -> None:
    for act in (
        lambda: people.disable(house.engine, "local owner"),
        lambda: people.set_role(house.engine, "local owner", Role.ADMIN),
    ):
        with pytest.raises(ConflictError, match="last owner"):
            act()
    with transaction(house.engine) as c:
        access.store_person(c, "Olga", Role.OWNER)
    people.disable(house.engine, "Olga")
    with pytest.raises(ConflictError, match="last owner"):
        people.disable(house.engine, "local owner")
    people.set_role(house.engine, "Olga", Role.OWNER)


def test_the_disabled_are_out_until_they_are_enabled(house: House) -> None:
    url = house.login("ann")[1]
    with psycopg.connect(url) as link:
        assert people.disable(house.engine, "ann")[1] == 1
        with pytest.raises(psycopg.OperationalError):
            link.execute("SELECT 1")
    assert house.sees(url) == []
    with pytest.raises(UnknownObjectError, match="disabled"):
        house.login("ann")
    with transaction(house.engine) as c:
        access.enable(c, "ann")
    assert house.sees(url) == ["acme"]


@pytest.mark.parametrize("name", ["a\x00b", "two\nlines", "tab\tbed", "\u202eevil", "x" * 10_000])
def test_names_that_would_deceive_are_refused(house: House, name: str) -> None:
    with pytest.raises(ValueError, match="a person's name"), transaction(house.engine) as c:
        access.store_person(c, name, Role.ANALYST)


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "Rob'); DROP TABLE x;--", 'a "b" c', "\u200fשרה", "=1+1"]
)
def test_hostile_names_are_only_names(house: House, name: str) -> None:
    with transaction(house.engine) as c:
        access.store_person(c, name, Role.ANALYST)
        access.grant(c, name, "acme", Role.ANALYST, reason=name)
    assert house.sees(house.login(name)[1]) == ["acme"]


# Logins -------------------------------------------------------------------------------------------


def test_a_login_for_one_client_sees_that_one_only(house: House) -> None:
    with transaction(house.engine) as c:
        access.grant(c, "ann", "beta", Role.ANALYST)
    assert house.sees(house.login("ann", "beta")[1]) == ["beta"]
    assert house.sees(house.login("ada", "acme")[1]) == ["acme"]
    with psycopg.connect(house.login("ada", "acme")[1]) as link:
        link.execute("SET TRANSACTION READ WRITE")
        with pytest.raises(psycopg.Error, match="no client 'beta'"):
            link.execute(
                """SELECT api.set_goals('[{"client": "beta", "metric": "roas", "target": 3}]')"""
            )


def test_a_login_for_one_client_never_widens(house: House) -> None:
    user, url = house.login("ada", "acme")
    with transaction(house.engine) as c:
        c.execute(text("DELETE FROM app.client WHERE slug = 'acme'"))
    with psycopg.connect(url) as link:
        assert link.execute("SELECT slug FROM api.clients").fetchall() == []
    assert house.one("SELECT count(*) FROM sec.login WHERE login = :l", l=user) == 0


def test_a_login_for_a_client_that_is_not_granted(house: House) -> None:
    with pytest.raises(AccessDeniedError, match="does not see client 'beta'"):
        house.login("ann", "beta")
    with pytest.raises(UnknownObjectError, match="no client 'nobody'"):
        house.login("ann", "nobody")


def test_a_rotated_login_has_a_new_password_and_sessions_go_on(house: House) -> None:
    user, url = house.login("ann", hours=1)
    with psycopg.connect(url, autocommit=True) as link:
        with transaction(house.engine) as c:
            password, ends = access.rotate_credential(c, user, 5)
        assert link.execute("SELECT slug FROM api.clients").fetchall() == [("acme",)]
        assert link.execute("SELECT login_expires_at FROM api.whoami()").fetchone() == (ends,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    fresh = libpq_url(house.engine.url.set(username=user, password=password))
    assert house.sees(fresh) == ["acme"]
    with pytest.raises(UnknownObjectError), transaction(house.engine) as c:
        access.rotate_credential(c, "nb_000000000000")


def test_a_dropped_login_loses_its_open_sessions_and_nobody_elses(house: House) -> None:
    (user, url), (_, other) = house.login("ann"), house.login("ann")
    with psycopg.connect(url) as mine, psycopg.connect(other) as spared:
        mine.execute("SELECT 1")
        with transaction(house.engine) as c:
            assert access.drop_credential(c, user)
        with pytest.raises(psycopg.OperationalError):
            mine.execute("SELECT slug FROM api.clients")
        assert spared.execute("SELECT slug FROM api.clients").fetchall() == [("acme",)]
    assert house.one("SELECT to_regrole(:l)", l=user) is None


def test_logins_whose_time_is_over_are_dropped_with_their_sessions(house: House) -> None:
    user, url = house.login("ann")
    with psycopg.connect(url) as link:
        link.execute("SELECT 1")
        house.one(
            "UPDATE sec.login SET expires_at = now() - interval '2 min' WHERE login = :l"
            " RETURNING 1", l=user,
        )  # fmt: skip
        assert people.watch_sessions(house.engine) == 1
        with pytest.raises(psycopg.OperationalError):
            link.execute("SELECT 1")


def test_logins_have_their_roles_limits(house: House) -> None:
    with transaction(house.engine) as c:
        access.store_person(c, "Vera", Role.CLIENT_VIEWER)
    for name, role in (("ann", Role.ANALYST), ("Vera", Role.CLIENT_VIEWER)):
        limits, (user, url) = ROLES[role].limits, house.login(name)
        with psycopg.connect(url) as link:
            for setting, wanted in (
                ("statement_timeout", limits.statement_seconds * 1000),
                ("idle_in_transaction_session_timeout", limits.idle_seconds * 1000),
                ("work_mem", 64 * 1024),
                ("temp_file_limit", 4 * 1024 * 1024),
            ):
                found = link.execute(
                    "SELECT setting::bigint FROM pg_settings WHERE name = %s", (setting,)
                ).fetchone()
                assert found == (wanted,), setting
        assert house.one("SELECT rolconnlimit FROM pg_roles WHERE rolname = :l", l=user) == (
            limits.connections
        )


def test_viewers_on_the_boards_have_their_roles_limits(house: House) -> None:
    with transaction(house.engine) as c:
        access.store_person(c, "Vera", Role.CLIENT_VIEWER)
        user, password = access.create_boards_login(c)
        viewer = access.load_person(c, "Vera")["viewer"]
    pool = connect_engine(libpq_url(house.engine.url.set(username=user, password=password)))
    with Reader(pool, viewer).connection() as c:
        assert c.scalar(text("SHOW statement_timeout")) == "30s"
        assert c.scalar(text("SHOW idle_in_transaction_session_timeout")) == "1min"
    with pool.connect() as c:
        assert c.scalar(text("SHOW statement_timeout")) == "1min", "the pool's own, afterwards"
    pool.dispose()


def test_who_switches_the_limit_off_is_ended_by_the_watchdog(house: House) -> None:
    (user, url), (_, other) = house.login("ann"), house.login("ada")
    # As if their roles allowed a second: nobody waits for minutes here.
    house.one("UPDATE sec.role SET statement_seconds = 1, idle_seconds = 1 WHERE role = 'analyst'"
              " RETURNING 1")  # fmt: skip
    with psycopg.connect(url) as idle, psycopg.connect(other) as spared:
        idle.execute("SET statement_timeout = 0")
        idle.execute("SET idle_in_transaction_session_timeout = 0")
        spared.execute("SELECT 1")
        with transaction(house.engine) as c:
            c.execute(text("SELECT pg_sleep(1.6)"))
            (ended,) = end_overlong(c, 0)
        assert (ended.login, ended.person, ended.limit, ended.idle) == (user, "ann", 1, True)
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
        assert spared.execute("SELECT 1").fetchone() == (1,)
    (entry,) = house.audited("session.end")
    assert (entry["details"]["person"], entry["details"]["limit"]) == ("ann", 1)


def test_the_owner_can_not_become_a_person(house: House) -> None:
    user, _ = house.login("ann")
    assert not house.one("SELECT pg_has_role('adlab_owner', :l, 'SET')", l=user)
    assert house.one("SELECT pg_has_role('adlab_owner', :l, 'USAGE')", l=user), "to end sessions"


# What people are told -----------------------------------------------------------------------------


def test_a_login_that_ended_says_so_instead_of_showing_nothing(house: House) -> None:
    clock = [datetime.now(UTC)]
    reader = LoginReader(house.login("ann", hours=1)[1], now=lambda: clock[0])
    assert reader.rows(text("SELECT slug FROM api.clients")) == [{"slug": "acme"}]
    clock[0] += timedelta(hours=2)
    with pytest.raises(AccessDeniedError, match="Your login ended at") as told:
        reader.rows(text("SELECT slug FROM api.clients"))
    assert "Restart your server" in told.value.remedy
    reader.close()


def test_a_login_valid_until_yesterday_is_told_what_to_do(house: House) -> None:
    user, url = house.login("ann")
    with transaction(house.engine) as c:
        c.execute(text(f"ALTER ROLE {user} VALID UNTIL '2020-01-01'"))
    reader = LoginReader(url)
    with pytest.raises(AccessDeniedError, match="refused this login") as told:
        reader.identity()
    assert "adlab user credential" in told.value.remedy.replace("(", "")
    assert url.split(":")[2].split("@")[0] not in str(told.value)


def test_a_session_ended_in_the_middle_says_so_and_the_next_question_reconnects(
    house: House,
) -> None:
    user, url = house.login("ann")
    reader = LoginReader(url)

    def ask_while_it_ends() -> None:
        with reader.connection() as c:
            with transaction(house.engine) as owner:
                assert end_sessions(owner, [user]) == 1
            c.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailableError, match="ended this session") as told:
        ask_while_it_ends()
    assert "Run it again" in told.value.remedy
    assert reader.identity().clients == ("acme",)
    with transaction(house.engine) as owner:
        access.drop_credential(owner, user)
    with pytest.raises(AccessDeniedError, match="refused this login"):
        reader.identity()
    reader.close()


def test_more_sessions_than_the_role_may_have(house: House) -> None:
    with transaction(house.engine) as c:
        access.store_person(c, "Vera", Role.CLIENT_VIEWER)
    url = house.login("Vera")[1]
    open_ = [psycopg.connect(url) for _ in range(ROLES[Role.CLIENT_VIEWER].limits.connections)]
    reader = LoginReader(url)
    with pytest.raises(AccessDeniedError, match="as many sessions open"):
        reader.identity()
    for link in open_:
        link.close()


def test_an_answer_larger_than_the_role_may_have_is_refused(house: House) -> None:
    house.one("UPDATE sec.role SET rows = 10 WHERE role = 'analyst' RETURNING 1")
    reader = LoginReader(house.login("ann")[1])
    assert len(reader.frame(text("SELECT generate_series(1, 10) AS n"))) == 10
    assert len(reader.arrow_frame("SELECT generate_series(1, 10) AS n", {})) == 10
    with pytest.raises(DataError, match="more than 10 rows"):
        reader.frame(text("SELECT generate_series(1, 11) AS n"))
    with pytest.raises(DataError, match="Ask for fewer days"):
        reader.arrow_frame("SELECT generate_series(1, 11) AS n", {})
    reader.close()


def test_no_limit_is_no_refusal() -> None:
    check_rows(10**9, None)
