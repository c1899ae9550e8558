"""Amounts in one currency: each day at its own rate, before anything is added."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.workbench.conftest import ALPHA, CONTROL, NOW, _acme, _login, _rest

from adlab.core.entities import public_id
from adlab.core.errors import DataError, MixedCurrencyError, NotAdditiveError
from adlab.core.roles import Role
from adlab.storage import access
from adlab.storage.engine import transaction
from adlab.storage.rates import RateRow, store_rates
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench

TWO_DAYS: dict[str, Any] = {"since": "2026-11-18", "until": "2026-11-19"}
WED, THU = date(2026, 11, 18), date(2026, 11, 19)
# One euro: on Wednesday 2 dollars, on Thursday 1.25 dollars or 165 yen.
RATES = [RateRow(WED, "EUR", "USD", Decimal(2)), RateRow(THU, "EUR", "USD", Decimal("1.25")),
         RateRow(THU, "EUR", "JPY", Decimal(165))]  # fmt: skip


@pytest.fixture
def lab(any_engine: Engine) -> Iterator[Workbench]:
    with transaction(any_engine) as c:
        _acme(c)
        _rest(c)
        access.store_person(c, "boss", Role.OWNER)
        store_rates(c, RATES, "ECB")
    found = Workbench(LoginReader(_login(any_engine, "boss")), now=lambda: NOW)
    yield found
    found.close()


def test_a_day_without_rate_is_refused_and_names_the_way_out(lab: Workbench) -> None:
    with pytest.raises(
        DataError, match=r'from JPY to GBP .*adlab fx load FILE; or use currency="acc'
    ):
        lab.insights("tokyo", **TWO_DAYS, currency="GBP")
    with pytest.raises(DataError, match="from EUR to USD for 2026-10-30"):
        lab.insights("acme", since="2026-10-30", until="2026-11-19", currency="USD")
    with pytest.raises(ValueError, match="not a currency code"):
        lab.insights("acme", **TWO_DAYS, currency="dollars")


def test_reach_stays_refused(lab: Workbench) -> None:
    with pytest.raises(NotAdditiveError):
        lab.insights(
            "acme", **TWO_DAYS, metrics=("reach",), time_increment="all_days", currency="USD"
        )


def test_clients_of_several_currencies_add_up(lab: Workbench) -> None:
    """Mixed: 30 dollars are 24 euros, and 40 euros. Tokyo: 1,980 yen are 12 euros."""
    asked: dict[str, Any] = {**TWO_DAYS, "metrics": ("spend", "impressions", "cpm")}
    with pytest.raises(MixedCurrencyError):
        lab.insights(["mixed", "tokyo"], **asked).total()
    f = lab.insights(["mixed", "tokyo"], **asked, currency="eur")
    assert f.attrs["currency"] == "EUR"
    assert f.attrs["fx"] == {
        "source": "ECB", "newest": "2026-11-19",
        "note": "≈ at daily rates of ECB, newest 19 Nov 2026",
    }  # fmt: skip
    assert f.total()["spend"] == pytest.approx(24 + 40 + 12)
    assert f.total()["cpm"] == pytest.approx(76 / 800 * 1000)
    assert f.by("client")["spend"].to_dict() == {
        "mixed": pytest.approx(64),
        "tokyo": pytest.approx(12),
    }
    assert list(f.top(1, "spend")["campaign_name"]) == ["EU"]


@pytest.mark.parametrize("increment", [1, 7, "monthly", "all_days"])
def test_long_periods_are_read_another_way_and_give_the_same(
    lab: Workbench, increment: Any
) -> None:
    f = lab.insights(["mixed", "tokyo"], since="2026-11-01", until="2026-11-20", currency="EUR",
                     metrics=("spend", "cpm"), time_increment=increment)  # fmt: skip
    assert f.total()["spend"] == pytest.approx(76)
    if increment == 7:
        assert {str(d.date()) for d in f.index.get_level_values("date")} == {"2026-11-15"}


def test_each_day_has_its_own_rate_also_in_ratios(lab: Workbench) -> None:
    """Alpha in dollars: 10 × 2 on Wednesday, 90 × 1.25 on Thursday; back came 50 × 2 + 90 × 1.25.

    In euros ROAS is 140/100 = 1.4; in dollars it is 212.50/132.50, because the days weigh
    differently. A ratio of one day alone does not move.
    """
    asked: dict[str, Any] = {
        **TWO_DAYS, "metrics": ("spend", "revenue", "roas", "purchases", "cpa"),
        "filters": {"campaign_id": ALPHA}, "currency": "USD",
    }  # fmt: skip
    daily = lab.insights("acme", **asked)
    assert daily["spend"].tolist() == [20.0, 112.5]
    assert daily["roas"].tolist() == [5.0, 1.0]
    whole: Any = lab.insights("acme", **asked, time_increment="all_days").iloc[0]
    assert whole["spend"] == 132.5
    assert whole["roas"] == pytest.approx(212.5 / 132.5)
    assert whole["cpa"] == pytest.approx(132.5 / 4)
    assert daily.total()["roas"] == pytest.approx(whole["roas"])
    for increment in (2, "monthly"):
        f = lab.insights("acme", **asked, time_increment=increment)  # type: ignore[arg-type]
        assert f["spend"].tolist() == [132.5]
        assert [str(d.date()) for d in f.index.get_level_values("date")] == ["2026-11-18"]


def test_unknown_stays_unknown(lab: Workbench) -> None:
    f = lab.insights("filed", **TWO_DAYS, metrics=("spend", "purchases", "cpa"), currency="EUR")
    control = f.xs(public_id(CONTROL), level="campaign_id")
    assert control["spend"].tolist() == [50.0, 240.0]
    assert control["cpa"].tolist()[0] == 12.5
    assert math.isnan(control["cpa"].tolist()[1])
    assert f.total()["cpa"] == pytest.approx((50 + 25) / 4)


def test_the_days_before_are_converted_at_their_own_rates(lab: Workbench) -> None:
    f = lab.insights("acme", since="2026-11-19", until="2026-11-19", level="account",
                     metrics=("spend",), compare="previous_period", currency="USD")  # fmt: skip
    row: Any = f.iloc[0]
    assert (row["spend"], row["spend_prev"]) == (pytest.approx(110.5 * 1.25), 20.0)


def test_the_same_currency_is_not_converted(lab: Workbench) -> None:
    f = lab.insights("acme", since="2026-10-01", until="2026-11-19", currency="EUR")
    assert "fx" not in f.attrs
    assert f.attrs["currency"] == "EUR"


def test_an_export_says_at_whose_rates(lab: Workbench) -> None:
    text = lab.insights("mixed", **TWO_DAYS, currency="EUR").to_csv()
    assert text is not None
    assert '# Converted,"≈ at daily rates of ECB, newest 19 Nov 2026"' in text
