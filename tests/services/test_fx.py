"""Rates by hand: two days of ECB rates, crossed, inverted, stale and missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import Engine

from adlab.core.errors import DataError
from adlab.core.periods import DateRange
from adlab.core.roles import Role
from adlab.services.fx import Rates, currencies_with_rates, spend_in
from adlab.storage import access
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.rates import RateRow, list_rates, store_rates
from adlab.storage.tenancy import LoginReader

THU, FRI, SUN = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 22)


def _rates(*rows: tuple[date, str, str, str]) -> list[RateRow]:
    return [RateRow(d, b, q, Decimal(r), "ECB") for d, b, q, r in rows]


ECB = _rates(
    (THU, "EUR", "USD", "1.25"), (THU, "EUR", "JPY", "160"), (FRI, "EUR", "USD", "1.2"),
)  # fmt: skip


@pytest.fixture
def reader(owner_engine: Engine) -> Iterator[LoginReader]:
    """Somebody who may see no client at all: rates are for everyone."""
    with transaction(owner_engine) as c:
        access.store_person(c, "ann", Role.ANALYST)
        user, password = access.create_credential(c, "ann")
        store_rates(c, ECB, "ECB")
    found = LoginReader(libpq_url(owner_engine.url.set(username=user, password=password)))
    yield found
    found.close()


def test_a_day_without_rate_names_currency_day_and_command() -> None:
    rates = Rates(ECB, "EUR")
    with pytest.raises(DataError, match=r"from USD to EUR for 2026-11-18 .*adlab fx load FILE"):
        rates.rate("USD", date(2026, 11, 18))
    with pytest.raises(DataError, match=r"from GBP to EUR for 2026-11-20"):
        rates.rate("GBP", FRI)


def test_a_rate_serves_for_seven_days_and_not_for_eight() -> None:
    rates = Rates(ECB, "EUR")
    assert rates.rate("USD", date(2026, 11, 27)) == Decimal(1) / Decimal("1.2")
    with pytest.raises(DataError, match="2026-11-28"):
        rates.rate("USD", date(2026, 11, 28))


def test_rates_invert_and_cross_through_the_common_base_on_one_day() -> None:
    assert Rates(ECB, "USD").rate("EUR", THU) == Decimal("1.25")
    assert Rates(ECB, "EUR").rate("USD", THU) == Decimal("0.8")
    # 160 yen are one euro are 1.25 dollars; on Friday the yen has no rate, so Thursday's pair holds.
    yen = Rates(ECB, "USD").rate("JPY", FRI)
    assert float(yen) == pytest.approx(1.25 / 160, rel=1e-15)


def test_a_loaded_rate_goes_before_its_inverse_and_before_a_cross() -> None:
    both = _rates((THU, "EUR", "USD", "1.25"), (THU, "USD", "EUR", "0.81"))
    assert Rates(both, "EUR").rate("USD", THU) == Decimal("0.81")
    crossed = [*ECB, *_rates((THU, "USD", "JPY", "130"))]
    assert Rates(crossed, "JPY").rate("USD", THU) == Decimal("130")


def test_the_same_currency_needs_no_rate_and_leaves_no_note() -> None:
    rates = Rates([], "EUR")
    assert rates.rate("EUR", THU) == 1
    assert (rates.source, rates.newest) == ("", None)


def test_spend_in_adds_each_day_at_its_own_rate(reader: LoginReader) -> None:
    found = spend_in(
        reader, {"USD": {THU: 125.0, FRI: 120.0, SUN: float("nan")}, "EUR": {SUN: 10.0}}, "eur"
    )
    assert found.total == pytest.approx(100 + 100 + 10)
    assert (found.to, found.source, found.newest) == ("EUR", "ECB", FRI)
    assert found.note == "≈ at daily rates of ECB, newest 20 Nov 2026"


def test_spend_in_of_one_currency_converts_nothing(reader: LoginReader) -> None:
    found = spend_in(reader, {"EUR": {THU: 10.5}}, "EUR")
    assert (found.total, found.source, found.note) == (10.5, "", "")
    assert spend_in(reader, {}, "EUR").total == 0.0
    unknown = spend_in(reader, {"USD": {THU: float("nan")}}, "EUR")
    assert unknown.total != unknown.total


def test_spend_in_refuses_a_day_without_rate_but_not_a_day_without_spend(
    reader: LoginReader,
) -> None:
    with pytest.raises(DataError, match="from USD to EUR for 2026-10-01"):
        spend_in(reader, {"USD": {date(2026, 10, 1): 5.0, THU: 1.0}}, "EUR")
    assert spend_in(reader, {"USD": {date(2026, 10, 1): 0.0, THU: 1.0}}, "EUR").total == 0.8


def test_currencies_with_rates(reader: LoginReader) -> None:
    assert currencies_with_rates(reader) == ("EUR", "JPY", "USD")


def test_loading_again_replaces(owner_engine: Engine, reader: LoginReader) -> None:
    with transaction(owner_engine) as c:
        store_rates(c, _rates((THU, "EUR", "USD", "1.5")), "desk")
        listed = [(r["quote"], r["source"], r["days"], r["newest_rate"]) for r in list_rates(c)]
    assert listed == [("JPY", "ECB", 1, Decimal("160")), ("USD", "ECB", 1, Decimal("1.2")),
                      ("USD", "desk", 1, Decimal("1.5"))]  # fmt: skip
    rates = Rates.load(reader, ["USD"], "EUR", DateRange(THU, THU))
    assert float(rates.rate("USD", THU)) == pytest.approx(1 / 1.5)


def test_a_currency_that_is_none_is_refused(reader: LoginReader) -> None:
    with pytest.raises(ValueError, match="not a currency code"):
        spend_in(reader, {"USD": {THU: 1.0}}, "euro")
