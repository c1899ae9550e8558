"""Budgets and goals: bad rows first, then what is stored, then where budgets stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, text
from tests.workbench.conftest import NOW, _acme, _login, _rest

from adlab.core.errors import AccessDeniedError, DataError, UnknownObjectError
from adlab.core.roles import Role
from adlab.storage import access
from adlab.storage.engine import transaction
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench


@pytest.fixture
def engine(any_engine: Engine) -> Engine:
    """The small agency on each engine, for tests that write."""
    with transaction(any_engine) as c:
        _acme(c)
        _rest(c)
        for name, role in (
            ("ann", Role.ANALYST),
            ("boss", Role.OWNER),
            ("vera", Role.CLIENT_VIEWER),
        ):
            access.store_person(c, name, role)
        access.grant(c, "ann", "acme", Role.ANALYST)
        access.grant(c, "vera", "acme", Role.CLIENT_VIEWER)
    return any_engine


def _lab(engine: Engine, name: str) -> Iterator[Workbench]:
    lab = Workbench(LoginReader(_login(engine, name)), now=lambda: NOW)
    yield lab
    lab.close()


@pytest.fixture
def boss(engine: Engine) -> Iterator[Workbench]:
    yield from _lab(engine, "boss")


@pytest.fixture
def ann(engine: Engine) -> Iterator[Workbench]:
    yield from _lab(engine, "ann")


@pytest.fixture
def vera(engine: Engine) -> Iterator[Workbench]:
    yield from _lab(engine, "vera")


NOVEMBER = {"client": "acme", "amount": 300, "month": "2026-11"}


def _count(engine: Engine, table: str) -> int:
    with transaction(engine) as c:
        found: int = c.scalar(text(f"SELECT count(*) FROM app.{table}"))  # type: ignore[assignment]
    return found


def test_every_bad_row_is_named_and_nothing_is_stored(boss: Workbench, engine: Engine) -> None:
    good = dict(NOVEMBER)
    bad: list[tuple[dict[str, Any], str]] = [
        ({**good, "client": "nosuch"}, "there is no client 'nosuch' that you may see"),
        ({**good, "client": None}, "no client is named"),
        ({**good, "amount": -1}, "amount -1 is negative"),
        ({**good, "amount": float("nan")}, "amount is not a number (NaN); to withdraw, give None"),
        ({**good, "amount": float("inf")}, "amount 'inf' is not an amount of money"),
        ({**good, "amount": "1,000"}, "amount '1,000' is not an amount of money"),
        ({**good, "amount": True}, "amount True is not a number"),
        ({**good, "amount": [1]}, "is not a number"),
        ({**good, "amount": "12.345"}, "amount 12.345 has more decimals than EUR has (2)"),
        ({**good, "amount": 12.345}, "amount 12.345 has more decimals than EUR has (2)"),
        ({**good, "client": "tokyo", "amount": "5.5"}, "has more decimals than JPY has (0)"),
        ({**good, "amount": 10**13}, "too large"),
        ({**good, "month": "2026-13"}, "'2026-13' is not a month; write it as 2026-12"),
        ({**good, "month": "11/2026"}, "is not a month"),
        ({"client": "acme", "amount": 1}, "there is no period"),
        ({"client": "acme", "month": "2026-11"}, "there is no amount; None withdraws"),
        ({**good, "start": "2026-11-01"}, "either month or start and end"),
        ({"client": "acme", "amount": 1, "start": "2026-11-09", "end": "2026-11-01"}, "ends"),
        ({"client": "acme", "amount": 1, "start": "soon", "end": "2026-11-01"}, "start 'soon'"),
        ({**good, "client": "mixed"}, "client 'mixed' needs a currency: its accounts are in EUR, USD"),
        ({**good, "currency": "euro"}, "not a currency code"),
        ({**good, "currency": "USD"}, "client 'acme' has no account in USD, only EUR"),
        ({**good, "scope": "campaign"}, "not an ad account id"),
    ]  # fmt: skip
    with pytest.raises(DataError) as caught:
        boss.budgets.set([good, *(row for row, _ in bad)])
    told = caught.value.message.splitlines()
    assert told[0] == f"{len(bad)} of {len(bad) + 1} budgets are bad, so nothing was stored:"
    for number, (_, words) in enumerate(bad, 2):
        line = next(t for t in told if t.startswith(f"row {number}:"))
        assert words in line, line
    assert _count(engine, "budget") == 0


def test_a_misspelt_column_is_named(boss: Workbench) -> None:
    with pytest.raises(ValueError, match="there is no column 'ammount'; columns are client, scope"):
        boss.budgets.set([{"client": "acme", "ammount": 1, "month": "2026-11"}])
    with pytest.raises(ValueError, match="a frame or a list of dicts"):
        boss.budgets.set(NOVEMBER)  # type: ignore[arg-type]


def test_overlapping_days_are_refused_within_the_frame_and_with_the_store(
    boss: Workbench, engine: Engine
) -> None:
    half = {"client": "acme", "amount": 5, "start": "2026-11-30", "end": "2026-12-10"}
    with pytest.raises(DataError, match="row 2: its days overlap those of row 1"):
        boss.budgets.set([NOVEMBER, half])
    with pytest.raises(DataError, match="row 2: its days overlap those of row 1"):
        boss.budgets.set([NOVEMBER, NOVEMBER])
    boss.budgets.set([NOVEMBER])
    with pytest.raises(DataError, match="overlap the stored budget of 2026-11-01 to 2026-11-30"):
        boss.budgets.set([half])
    with pytest.raises(
        DataError, match=r"no budget of exactly 2026-11-01\.\.2026-11-29 to withdraw"
    ):
        boss.budgets.set(
            [{"client": "acme", "amount": None, "start": "2026-11-01", "end": "2026-11-29"}]
        )
    assert _count(engine, "budget") == 1


def test_a_month_makes_room_for_its_halves_in_one_call(boss: Workbench) -> None:
    boss.budgets.set([NOVEMBER])
    halves = [
        {"client": "acme", "amount": 100, "start": date(2026, 11, 1), "end": date(2026, 11, 15)},
        {"client": "acme", "amount": 200, "start": "2026-11-16", "end": "2026-11-30"},
        {"client": "acme", "amount": None, "month": "2026-11"},
    ]
    assert boss.budgets.set(halves) == 3
    found = boss.budgets.get("acme")
    assert found["amount"].tolist() == [100.0, 200.0]
    assert [d.date() for d in found["end"]] == [date(2026, 11, 15), date(2026, 11, 30)]


def test_amounts_are_exact_whatever_type_they_come_in(boss: Workbench, engine: Engine) -> None:
    frame = pd.DataFrame(
        {"client": ["acme", "tokyo", "mixed", "mixed"], "amount": [1234567.89, 5000, 0.1, 30],
         "currency": [None, "JPY", "usd", "EUR"], "month": "2026-11"},
    )  # fmt: skip
    assert boss.budgets.set(frame) == 4
    assert boss.budgets.set([{"client": "acme", "amount": Decimal("0.07"), "month": "2026-12"},
                             {"client": "tokyo", "amount": np.int64(7), "month": "2026-12"}]) == 2  # fmt: skip
    with transaction(engine) as c:
        micro = c.scalars(text("SELECT amount_micro FROM app.budget ORDER BY amount_micro")).all()
    assert micro == [70_000, 100_000, 7_000_000, 30_000_000, 5_000_000_000, 1_234_567_890_000]
    assert boss.budgets.get(month="2026-11").loc["mixed", "currency"].tolist() == ["EUR", "USD"]


def test_setting_again_replaces_and_history_keeps_what_was(boss: Workbench) -> None:
    boss.budgets.set([NOVEMBER])
    boss.budgets.set([{**NOVEMBER, "amount": 400, "note": "raised"}])
    now = boss.budgets.get()
    assert now["amount"].tolist() == [400.0]
    assert now.loc["acme", "set_by"] == "boss"
    history = boss.budgets.get("acme", history=True)
    assert history["amount"].tolist() == [300.0, 400.0]
    assert history["replaced_at"].notna().tolist() == [True, False]
    boss.budgets.set([{**NOVEMBER, "amount": None}])
    assert boss.budgets.get().empty


def test_what_get_returns_can_be_edited_and_set(boss: Workbench) -> None:
    boss.budgets.set([NOVEMBER])
    frame = boss.budgets.get()
    frame["amount"] = frame["amount"] * 2
    assert boss.budgets.set(frame) == 1
    assert boss.budgets.get()["amount"].tolist() == [600.0]


def test_a_read_only_login_sets_plans_and_nothing_else(ann: Workbench) -> None:
    assert ann.budgets.set([NOVEMBER]) == 1
    assert ann.goals.set([{"client": "acme", "metric": "roas", "target": 3}]) == 1
    with ann.reader.connection() as c:
        assert c.scalar(text("SHOW transaction_read_only")) == "on"


def test_a_client_viewer_reads_but_never_sets(vera: Workbench, boss: Workbench) -> None:
    boss.budgets.set([NOVEMBER])
    with pytest.raises(AccessDeniedError, match="does not include planning"):
        vera.budgets.set([{**NOVEMBER, "amount": 1}])
    with pytest.raises(AccessDeniedError, match="does not include planning"):
        vera.goals.set([{"client": "acme", "metric": "roas", "target": 3}])
    assert vera.budgets.get()["amount"].tolist() == [300.0]
    assert len(vera.pacing()) == 1


def test_somebody_elses_client_reads_like_none(ann: Workbench, boss: Workbench) -> None:
    boss.budgets.set([{"client": "tokyo", "amount": 5000, "month": "2026-11"}])
    texts = []
    for slug in ("tokyo", "nosuch"):
        with pytest.raises(DataError) as caught:
            ann.budgets.set([{"client": slug, "amount": 1, "month": "2026-11"}])
        texts.append(str(caught.value).replace(slug, "X"))
        with pytest.raises(UnknownObjectError) as unknown:
            ann.pacing(slug)
        texts.append(str(unknown.value).replace(slug, "X"))
    assert texts[:2] == texts[2:]
    assert ann.budgets.get().empty


def test_bad_goals_are_named(boss: Workbench, engine: Engine) -> None:
    bad: list[tuple[dict[str, Any], str]] = [
        ({"metric": "raos", "target": 3}, "there is no metric 'raos'; Did you mean roas"),
        ({"metric": "x'; DROP TABLE app.goal; --", "target": 3}, "there is no metric"),
        ({"metric": None, "target": 3}, "no metric is named"),
        ({"metric": "roas", "target": 0}, "target 0 is not above zero"),
        ({"metric": "roas", "target": float("nan")}, "target is not a number (NaN)"),
        ({"metric": "link_ctr", "target": 1.5}, "link_ctr is a share: write 1.5 % as 0.015"),
        ({"metric": "roas", "target": 3, "currency": "EUR"}, "roas is no money"),
        ({"metric": "roas"}, "there is no target"),
        ({"metric": "roas", "target": "1.1234567"}, "more than six decimals"),
    ]
    with pytest.raises(DataError) as caught:
        boss.goals.set([{"client": "acme", **row} for row, _ in bad])
    told = caught.value.message.splitlines()
    for number, (_, words) in enumerate(bad, 1):
        assert any(t.startswith(f"row {number}:") and words in t for t in told), told
    with pytest.raises(DataError, match="row 2: there is a goal for cpa above already"):
        boss.goals.set(
            [{"client": "acme", "metric": m, "target": 20} for m in ("cpa", "cost_per_purchase")]
        )
    assert _count(engine, "goal") == 0


def test_goals_are_stored_by_their_registry_name_and_replaced(boss: Workbench) -> None:
    rows = [{"client": "acme", "metric": "cost_per_purchase", "target": "24.50"},
            {"client": "acme", "metric": "link_ctr", "target": 0.012}]  # fmt: skip
    assert boss.goals.set(pd.DataFrame(rows, dtype=object)) == 2
    boss.goals.set([{"client": "acme", "metric": "cpa", "target": 20}])
    found = boss.goals.get("acme").set_index("metric")
    assert found["target"].to_dict() == {"cpa": 20.0, "link_ctr": 0.012}
    assert found.loc["cpa", "currency"] == "EUR"
    assert len(boss.goals.get(history=True)) == 3
    boss.goals.set([{"client": "acme", "metric": "cpa", "target": None}])
    assert list(boss.goals.get()["metric"]) == ["link_ctr"]


def test_pacing_counts_complete_days_of_account_totals(boss: Workbench) -> None:
    """Acme in November: 5 + 10 + 110.50 spent until the 20th; twenty of thirty days are over.

    The account's own rows of the 18th and 19th hold 10 and 110.50; the 17th is known by campaign.
    """
    boss.budgets.set([
        {"client": "acme", "amount": 188.25, "month": "2026-11"},
        {"client": "acme", "amount": 1000, "month": "2026-11", "scope": "act_1001"},
        {"client": "acme", "amount": 50, "month": "2026-10"},
        {"client": "tokyo", "amount": 2970, "month": "2026-11"},
        {"client": "mixed", "amount": 60, "month": "2026-11", "currency": "EUR"},
    ])  # fmt: skip
    found = boss.pacing()
    assert list(found.index.names) == ["client", "scope", "currency"]
    assert list(found.index) == [("acme", "client", "EUR"), ("acme", "act_1001", "EUR"),
                                 ("mixed", "client", "EUR"), ("tokyo", "client", "JPY")]  # fmt: skip
    row: Any = found.loc[("acme", "client", "EUR")]
    assert row["spend"] == 125.5
    assert row["utilisation"] == pytest.approx(2 / 3)
    assert row["expected_share"] == pytest.approx(20 / 30)
    assert (row["pacing_index"], row["status"]) == (pytest.approx(1.0), "on pace")
    assert (row["days_left"], row["required_daily"]) == (10, pytest.approx(6.275))
    assert found.loc[("acme", "act_1001", "EUR"), "alert"] == "red"
    assert found.loc[("tokyo", "client", "JPY"), "spend"] == 1980
    assert found.loc[("mixed", "client", "EUR"), "spend"] == 40
    october: Any = boss.pacing("acme", month="2026-10").iloc[0]
    assert (october["spend"], october["days_left"], october["status"]) == (8.0, 0, "under")
    assert boss.pacing("newco").empty


def test_pacing_of_a_month_to_come_has_not_started(boss: Workbench) -> None:
    boss.budgets.set([{**NOVEMBER, "month": "2026-12"}])
    assert boss.pacing().empty
    assert boss.pacing(month="2026-12")["status"].tolist() == ["not started"]
    with pytest.raises(ValueError, match="'December' is not a month"):
        boss.pacing(month="December")


def test_an_account_of_another_client_is_none(boss: Workbench, engine: Engine) -> None:
    with pytest.raises(UnknownObjectError, match="Client 'acme' has no account act_3001 in EUR"):
        boss.budgets.set([NOVEMBER, {**NOVEMBER, "scope": "act_3001"}])
    assert _count(engine, "budget") == 0


def test_a_curve_may_be_named_and_must_be_known(boss: Workbench) -> None:
    assert boss.budgets.set([{**NOVEMBER, "curve": "linear"}]) == 1
    assert boss.budgets.get(month="2026-11")["curve"].tolist() == ["linear"]
    with pytest.raises(DataError, match="there is no curve 'front-loaded'; known is linear"):
        boss.budgets.set([{**NOVEMBER, "curve": "front-loaded"}])
