"""Pacing by hand: a November of thirty days and fifteen thousand."""

from __future__ import annotations

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.core.periods import DateRange
from adlab.stats.pacing import evaluate_pacing

NOVEMBER = DateRange(date(2026, 11, 1), date(2026, 11, 30))


def test_a_budget_that_begins_later_has_not_started() -> None:
    found = evaluate_pacing(15_000, 0, NOVEMBER, date(2026, 10, 30))
    assert (found.status, found.days_left, found.expected_share) == ("not started", 30, 0)
    assert math.isnan(found.pacing_index)
    assert found.required_daily == 500


def test_the_first_day_is_not_complete_and_says_nothing() -> None:
    found = evaluate_pacing(15_000, 0, NOVEMBER, date(2026, 11, 1))
    assert (found.status, found.days_left, found.alert) == ("no spend yet", 30, "")


def test_a_budget_of_nothing_is_over_as_soon_as_something_is_spent() -> None:
    found = evaluate_pacing(0, 5, NOVEMBER, date(2026, 11, 10))
    assert (found.status, found.alert) == ("over", "red")
    assert math.isnan(found.utilisation)
    assert evaluate_pacing(0, 0, NOVEMBER, date(2026, 12, 5)).status == "on pace"


def test_spend_days_and_what_is_left_by_hand() -> None:
    """24 of 30 days: 12,000 expected, 12,480 spent: index 1.04, 2,520 left for six days."""
    found = evaluate_pacing(15_000, 12_480, NOVEMBER, date(2026, 11, 25))
    assert found.utilisation == pytest.approx(0.832)
    assert found.expected_share == 0.8
    assert found.pacing_index == pytest.approx(1.04)
    assert (found.days_left, found.status, found.alert) == (6, "on pace", "")
    assert found.required_daily == pytest.approx(420)


@pytest.mark.parametrize(
    ("spend", "status", "alert"),
    [(5_500, "on pace", ""), (5_501, "over", "amber"), (6_000, "over", "amber"),
     (6_001, "over", "red"), (4_500, "on pace", ""), (4_499, "under", "amber"),
     (4_000, "under", "amber"), (3_999, "under", "red")],
)  # fmt: skip
def test_ten_percent_is_on_pace_and_twenty_is_amber(spend: float, status: str, alert: str) -> None:
    found = evaluate_pacing(15_000, spend, NOVEMBER, date(2026, 11, 11))
    assert (found.status, found.alert) == (status, alert)


def test_an_overspent_budget_has_nothing_left_a_day() -> None:
    assert evaluate_pacing(100, 130, NOVEMBER, date(2026, 11, 25)).required_daily == 0


def test_a_finished_budget_is_judged_as_a_whole() -> None:
    found = evaluate_pacing(15_000, 11_000, NOVEMBER, date(2026, 12, 9))
    assert (found.expected_share, found.days_left) == (1.0, 0)
    assert (found.status, found.alert) == ("under", "red")
    assert math.isnan(found.required_daily)


@given(st.floats(1, 1e9), st.floats(0.01, 1e9), st.floats(0.01, 1e4), st.integers(1, 29))
def test_the_currency_does_not_matter(budget: float, spend: float, k: float, days: int) -> None:
    today = date(2026, 11, 1 + days)
    a = evaluate_pacing(budget, spend, NOVEMBER, today)
    b = evaluate_pacing(budget * k, spend * k, NOVEMBER, today)
    assert a.pacing_index == pytest.approx(b.pacing_index)
