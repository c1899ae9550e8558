"""Logins, their limits and what people are told of them, on both engines."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import text

from adlab.core.errors import (
    AccessDeniedError,
    DatabaseUnavailableError,
    DataError,
    UnknownObjectError,
)
from adlab.core.roles import ROLES, Role
from adlab.services import people
from adlab.storage import access
from adlab.storage.engine import connect_engine, libpq_url, transaction
from adlab.storage.logins import Overlong, end_overlong, end_sessions
from adlab.storage.tenancy import LoginReader, Reader, check_rows
from tests.storage.house import House

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


def test_who_keeps_others_waiting_without_end_is_ended(house: House) -> None:
    """A person may plan for a client, not commit, and keep whoever plans for it waiting."""
    user, url = house.login("ann")
    plan = [{"client": "acme", "scope": "client", "since": "2026-12-01", "until": "2026-12-31",
             "currency": "EUR", "amount_micro": 5_000_000, "note": ""}]  # fmt: skip
    hold = "SELECT api.set_budgets(%s::jsonb)"

    def plan_too() -> None:
        with psycopg.connect(house.login("ann")[1]) as other:
            other.execute("SET TRANSACTION READ WRITE")
            other.execute(hold, [json.dumps(plan)])

    with psycopg.connect(url) as holder, ThreadPoolExecutor(1) as others:
        holder.execute("SET TRANSACTION READ WRITE")
        holder.execute(hold, [json.dumps(plan)])
        with transaction(house.engine) as c:
            assert end_overlong(c, patience_seconds=0) == [], "nobody waits yet"
        waiting = others.submit(plan_too)
        ended: list[Overlong] = []
        while not ended:
            assert not waiting.done()
            with transaction(house.engine) as c:
                ended = end_overlong(c, patience_seconds=0)
        assert (ended[0].login, ended[0].person, ended[0].idle) == (user, "ann", True)
        waiting.result(timeout=30)
        with pytest.raises(psycopg.OperationalError):
            holder.execute("SELECT 1")


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
