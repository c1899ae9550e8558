"""Changes as values: exact amounts, clear refusals, inverses, and a way there and back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from adlab.core.changes import (
    Change,
    Copy,
    CreateAd,
    Remove,
    Rename,
    SetBid,
    SetBudget,
    SetStatus,
    as_data,
    difference,
    expected,
    from_data,
    inverse,
    minor_units,
    observe,
    remarks,
)
from adlab.core.entities import AccountId, AdObject, Level
from adlab.core.errors import ChangeRefusedError

A = AccountId(1)
ALL: list[Change] = [
    SetStatus(A, 2, "PAUSED"), SetBudget(A, 2, Decimal("50.10")),
    SetBudget(A, 2, Decimal(9000), "lifetime", "JPY"), SetBid(A, 2, Decimal("0.07"), "COST_CAP"),
    SetBid(A, 2, None, "LOWEST_COST_WITHOUT_CAP"), Rename(A, 2, "Ä ❄"), Copy(A, 2, True, "x "),
    CreateAd(A, 2, "n", 3), Remove(A, 2),
]  # fmt: skip


@pytest.mark.parametrize("change", ALL)
def test_a_change_survives_as_data(change: Change) -> None:
    assert from_data(1, 2, change.kind, as_data(change)) == change


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [("50", "EUR", 5000), ("0.01", "EUR", 1), ("50.10", "BHD", 5010), ("9000", "JPY", 9000),
     ("90071992547409.93", "USD", 9007199254740993)],
)  # fmt: skip
def test_amounts_are_exact_offset_units(amount: str, currency: str, units: int) -> None:
    assert minor_units(Decimal(amount), currency) == units


@pytest.mark.parametrize(
    ("amount", "currency"), [("1.5", "JPY"), ("1.5", "HUF"), ("1.005", "EUR"), ("1.005", "BHD")]
)
def test_an_amount_finer_than_the_currency_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match="more decimals"):
        minor_units(Decimal(amount), currency)


@pytest.mark.parametrize("amount", [Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("inf"), 50.0])
def test_only_exact_amounts_above_zero_are_budgets(amount: Decimal) -> None:
    with pytest.raises(ValueError, match="exact amount above zero"):
        SetBudget(A, 2, amount)


def test_what_contradicts_itself_is_refused() -> None:
    for status in ("DELETED", "ARCHIVED", "paused", ""):
        with pytest.raises(ValueError, match="is no status to set"):
            SetStatus(A, 2, status)
    for name in ("", "  ", " x", "x ", "x" * 401, "a\0b"):
        with pytest.raises(ValueError, match="a name"):
            Rename(A, 2, name)
    with pytest.raises(ValueError, match="takes no amount"):
        SetBid(A, 2, Decimal(1), "LOWEST_COST_WITHOUT_CAP")
    with pytest.raises(ValueError, match="without an amount"):
        SetBid(A, 2, None)
    with pytest.raises(ValueError, match="daily or lifetime"):
        SetBudget(A, 2, Decimal(1), "weekly")  # type: ignore[arg-type]
    with pytest.raises(ChangeRefusedError, match="is in EUR"):
        expected(SetBudget(A, 2, Decimal(1), currency="USD"), "EUR")
    with pytest.raises(ValueError, match="there is no change 'dance'"):
        from_data(1, 2, "dance", {})


@pytest.mark.parametrize(
    ("change", "before", "back"),
    [
        (SetStatus(A, 2, "PAUSED"), {"status": "ACTIVE"}, SetStatus(A, 2, "ACTIVE")),
        (SetStatus(A, 2, "PAUSED"), {"status": "ARCHIVED"}, None),
        (SetBudget(A, 2, Decimal(5)), {"daily_budget_minor": 731},
         SetBudget(A, 2, Decimal("7.31"), "daily", "EUR")),
        (SetBudget(A, 2, Decimal(5)), {"daily_budget_minor": None}, None),
        (SetBid(A, 2, Decimal(1), "COST_CAP"),
         {"bid_amount_minor": None, "bid_strategy": "LOWEST_COST_WITHOUT_CAP"},
         SetBid(A, 2, None, "LOWEST_COST_WITHOUT_CAP", "EUR")),
        (SetBid(A, 2, Decimal(1)), {"bid_amount_minor": 7, "bid_strategy": "COST_CAP"},
         SetBid(A, 2, Decimal("0.07"), "COST_CAP", "EUR")),
        (SetBid(A, 2, Decimal(1), "COST_CAP"),
         {"bid_amount_minor": None, "bid_strategy": "LOWEST_COST_WITH_MIN_ROAS"}, None),
        (Rename(A, 2, "b"), {"name": "a"}, Rename(A, 2, "a")),
        (Rename(A, 2, "b"), {"name": " a"}, None),
        (Remove(A, 2), {}, None),
    ],
)  # fmt: skip
def test_an_inverse_restores_what_was(
    change: Change, before: dict[str, object], back: Change | None
) -> None:
    assert inverse(change, before, "EUR") == back


def test_the_inverse_of_making_is_removing_what_was_made() -> None:
    assert inverse(Copy(A, 2), {}, "EUR", 77) == Remove(A, 77)
    assert inverse(CreateAd(A, 2, "n", 3), {}, "EUR") is None


def test_what_is_apart_is_named_and_what_is_under_way_remarked() -> None:
    ad = AdObject(Level.AD, 2, "a", status="ACTIVE", effective_status="CAMPAIGN_PAUSED",
                  extra={"bid_amount": "70"})  # fmt: skip
    assert difference({"status": "PAUSED"}, observe(SetStatus(A, 2, "PAUSED"), ad)) == {
        "status": ["PAUSED", "ACTIVE"]
    }
    assert observe(SetBid(A, 2, Decimal(1)), ad)["bid_amount_minor"] == 70
    assert remarks(ad) == ("CAMPAIGN_PAUSED: it runs only when what is above it runs",)
