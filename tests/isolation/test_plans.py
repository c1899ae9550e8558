"""Each person tries to plan for their neighbour, and to read what the neighbour plans.

Ann plans for Acme, Ben for Beta, Vera may only look at Acme. Every attack runs with the attacker's
own login, in a transaction that may write, on both engines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from adlab.core.entities import AccountId, AccountInfo
from adlab.core.errors import AccessDeniedError, UnknownObjectError
from adlab.core.roles import Role
from adlab.storage import access, plans
from adlab.storage.clients import store_client
from adlab.storage.engine import connect_engine, libpq_url, transaction
from adlab.storage.objects import store_account
from adlab.storage.tenancy import LoginReader, Reader
from adlab.web.client_data import load_goal_targets

Link = psycopg.Connection[Any]
Open = Callable[[str], Link]


@pytest.fixture
def engine(any_engine: Engine) -> Engine:
    with transaction(any_engine) as c:
        for number, slug in ((1001, "acme"), (2002, "beta")):
            client = store_client(c, slug.title(), slug).client_id
            info = AccountInfo(AccountId(number), slug, "EUR", "Europe/Berlin", 1)
            store_account(c, info, client)
        for name, slug, role in (("ann", "acme", Role.ANALYST), ("ben", "beta", Role.ANALYST),
                                 ("vera", "acme", Role.CLIENT_VIEWER)):  # fmt: skip
            access.store_person(c, name, role)
            access.grant(c, name, slug, role)
    return any_engine


def _url(engine: Engine, name: str) -> str:
    with transaction(engine) as c:
        user, password = access.create_credential(c, name)
    return libpq_url(engine.url.set(username=user, password=password))


@pytest.fixture
def session(engine: Engine) -> Iterator[Open]:
    """Opens a person's session whose transactions may write."""
    links: list[Link] = []

    def start(name: str) -> Link:
        link = psycopg.connect(_url(engine, name), autocommit=True)
        link.execute("SET default_transaction_read_only = off")
        links.append(link)
        return link

    yield start
    for link in links:
        link.close()


def _budget(client: str, amount: int | None = 5_000_000, **more: Any) -> dict[str, Any]:
    return {"client": client, "scope": "client", "since": "2026-11-01", "until": "2026-11-30",
            "currency": "EUR", "amount_micro": amount} | more  # fmt: skip


def _set(link: Link, *budgets: dict[str, Any]) -> None:
    link.execute("SELECT api.set_budgets(%s::jsonb)", (json.dumps(budgets),))


def _refused(link: Link, *budgets: dict[str, Any]) -> tuple[str | None, str]:
    with pytest.raises(psycopg.Error) as caught:
        _set(link, *budgets)
    return caught.value.sqlstate, str(caught.value.diag.message_primary)


def _stored(engine: Engine) -> int:
    with transaction(engine) as c:
        found = c.scalar(
            text("SELECT (SELECT count(*) FROM app.budget) + (SELECT count(*) FROM app.goal)")
        )
    assert isinstance(found, int)
    return found


def test_nobody_plans_for_a_neighbour_nor_learns_that_there_is_one(
    engine: Engine, session: Open
) -> None:
    ann = session("ann")
    beta, none = _refused(ann, _budget("beta")), _refused(ann, _budget("nosuch"))
    assert beta[0] == "P0002"
    assert (beta[0], beta[1].replace("beta", "X")) == (none[0], none[1].replace("nosuch", "X"))
    goals = []
    for slug in ("beta", "nosuch"):
        with pytest.raises(psycopg.Error) as caught:
            ann.execute("SELECT api.set_goals(%s::jsonb)",
                        (json.dumps([{"client": slug, "metric": "roas", "target": 3}]),))  # fmt: skip
        goals.append(str(caught.value.diag.message_primary).replace(slug, "X"))
    assert goals[0] == goals[1]
    assert _stored(engine) == 0


def test_one_foreign_row_undoes_the_own_ones(engine: Engine, session: Open) -> None:
    _refused(session("ann"), _budget("acme"), _budget("beta"))
    assert _stored(engine) == 0


def test_nobody_withdraws_or_reads_a_neighbours_plans(engine: Engine, session: Open) -> None:
    ben, ann = session("ben"), session("ann")
    _set(ben, _budget("beta"))
    ben.execute("""SELECT api.set_goals('[{"client": "beta", "metric": "roas", "target": 3}]')""")
    assert _refused(ann, _budget("beta", None))[0] == "P0002"
    for view in ("budgets", "goals"):
        assert ann.execute(f"SELECT count(*) FROM api.{view}").fetchone() == (0,)  # type: ignore[call-overload]
        assert ben.execute(f"SELECT count(*) FROM api.{view}").fetchone() == (1,)  # type: ignore[call-overload]
    assert ann.execute("SELECT count(*) FROM api.budgets WHERE client_id = 2").fetchone() == (0,)
    assert _refused(ann, _budget("acme", scope="act_2002"))[0] == "P0002"
    assert _stored(engine) == 2


def test_a_viewer_plans_for_nobody(engine: Engine, session: Open) -> None:
    vera = session("vera")
    assert _refused(vera, _budget("acme"))[0] == "42501"
    assert _refused(vera, _budget("beta"))[0] == "P0002"
    assert _stored(engine) == 0


def test_a_viewer_on_a_board_plans_for_nobody(engine: Engine) -> None:
    with transaction(engine) as c:
        user, password = access.create_boards_login(c)
        role = access.load_person(c, "vera")["viewer"]
    pool = connect_engine(libpq_url(engine.url.set(username=user, password=password)))
    try:
        with pytest.raises(AccessDeniedError, match="does not include planning"):
            plans.set_budgets(Reader(pool, role), [_budget("acme")])
        with pytest.raises(UnknownObjectError, match="'beta' that you may see"):
            plans.set_budgets(Reader(pool, role), [_budget("beta")])
        with pytest.raises(AccessDeniedError):
            plans.set_budgets(Reader(pool), [_budget("acme")])
    finally:
        pool.dispose()
    assert _stored(engine) == 0


@pytest.mark.parametrize(
    "end",
    ["UPDATE sec.login SET expires_at = now() - interval '1 second' WHERE kind = 'notebook'",
     "UPDATE sec.access SET expires_at = now() - interval '1 second'",
     "UPDATE sec.access SET sees_data = false",
     "UPDATE sec.person SET disabled_at = now()"],
)  # fmt: skip
def test_an_open_session_whose_rights_have_ended_plans_no_more(
    engine: Engine, session: Open, end: str
) -> None:
    ann = session("ann")
    _set(ann, _budget("acme"))
    with transaction(engine) as c:
        c.execute(text(end))
    assert _refused(ann, _budget("acme", 1))[0] == "P0002"
    assert ann.execute("SELECT count(*) FROM api.budgets").fetchone() == (0,)


def test_tables_and_inner_functions_stay_out_of_reach(session: Open) -> None:
    ann = session("ann")
    for attack in (
        "INSERT INTO app.budget (client_id, since, until, currency, amount_micro, set_by) "
        "VALUES (1, '2026-11-01', '2026-11-30', 'EUR', 1, 'x')",
        "UPDATE app.goal SET target = 1", "DELETE FROM app.budget", "SELECT * FROM app.fx_rate",
        "INSERT INTO api.fx_rates VALUES ('2026-11-01', 'EUR', 'USD', 1, 'x', now())",
        "DELETE FROM api.budgets", "SELECT sec.client_to_plan('acme')", "SELECT sec.caller()",
    ):  # fmt: skip
        with pytest.raises(psycopg.Error) as caught:
            ann.execute(attack)  # type: ignore[call-overload]
        assert caught.value.sqlstate in ("42501", "55000"), attack


def test_nobody_takes_another_ones_name(engine: Engine, session: Open) -> None:
    ann = session("ann")
    with transaction(engine) as c:
        ben = access.load_person(c, "ben")["viewer"]
    for attack in (f"SET ROLE {ben}", f"SELECT set_config('role', '{ben}', false)",
                   f"SET SESSION AUTHORIZATION {ben}"):  # fmt: skip
        with pytest.raises(psycopg.Error) as caught:
            ann.execute(attack)  # type: ignore[call-overload]
        assert caught.value.sqlstate == "42501", attack
    assert _refused(ann, _budget("beta"))[0] == "P0002"


def test_a_read_only_transaction_plans_nothing(engine: Engine) -> None:
    with psycopg.connect(_url(engine, "ann"), autocommit=True) as link:
        assert _refused(link, _budget("acme"))[0] == "25006"
    assert _stored(engine) == 0


def test_names_of_metrics_nobody_knows_reach_no_board(engine: Engine) -> None:
    reader = LoginReader(_url(engine, "ann"))
    rows = [{"client": "acme", "metric": m, "target": "3", "currency": None}
            for m in ("<script>alert(1)</script>", "'; DROP TABLE app.goal; --", "roas")]  # fmt: skip
    try:
        plans.set_goals(reader, rows)
        (client,) = {g.client_id for g in plans.load_goals(reader, [1, 2, 3])}
        assert load_goal_targets(reader, client, "EUR") == {"roas": 3.0}
    finally:
        reader.close()
    assert _stored(engine) == 3


def test_two_people_planning_at_once_never_store_overlapping_days(
    engine: Engine, session: Open
) -> None:
    first, second = session("ann"), session("ann")
    first.execute("BEGIN")
    _set(first, _budget("acme"))
    second.execute("SET lock_timeout = '300ms'")
    half = _budget("acme", since="2026-11-15", until="2026-12-15")
    assert _refused(second, half)[0] == "55P03"
    first.execute("COMMIT")
    assert _refused(second, half)[0] == "23505"
    assert _stored(engine) == 1
