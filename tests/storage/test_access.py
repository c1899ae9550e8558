"""Roles and grants as the database sees them, on both engines."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from adlab.core.errors import (
    AdlabError,
    ConflictError,
    UnknownObjectError,
)
from adlab.core.roles import ROLES, Role
from adlab.services import people
from adlab.storage import access, roles
from adlab.storage.engine import connect_engine, libpq_url, transaction
from adlab.storage.tenancy import Reader
from tests.storage.house import House

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


@pytest.mark.parametrize("ends", ["sec.access", "sec.login"])
def test_what_ends_inside_an_open_transaction_ends_at_the_next_statement(
    house: House, ends: str
) -> None:
    """`now()` would be the moment the transaction began, when all of it still stood."""
    url = house.login("ann")[1]
    with psycopg.connect(url) as link:
        assert link.execute("SELECT slug FROM api.clients").fetchall() == [("acme",)]
        with transaction(house.engine) as c:
            c.execute(text(f"UPDATE {ends} SET expires_at = clock_timestamp()"))
        assert link.execute("SELECT slug FROM api.clients").fetchall() == []
        assert link.execute("SELECT date FROM api.insights_daily").fetchall() == []


def test_a_login_for_one_client_reads_that_clients_log_whoever_it_belongs_to(
    house: House,
) -> None:
    whole, narrow = house.login("ada")[1], house.login("ada", "acme")[1]
    with transaction(house.engine) as c:
        access.grant(c, "ann", "beta", Role.ANALYST)
    read = "SELECT DISTINCT client_id FROM api.audit ORDER BY 1"
    with psycopg.connect(whole) as link:
        assert link.execute(read).fetchall() == [(house.acme,), (house.beta,), (None,)]
    with psycopg.connect(narrow) as link:
        assert link.execute(read).fetchall() == [(house.acme,)]
        assert link.execute("SELECT * FROM api.audit_state()").fetchall() == []


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
