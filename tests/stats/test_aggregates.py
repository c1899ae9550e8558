"""Totals of a rate add up, whatever the order and the cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.stats.aggregates import rate_totals

DAYS = st.lists(st.tuples(st.integers(0, 50), st.integers(50, 500)), min_size=1, max_size=30)


def test_totals_by_hand() -> None:
    t = rate_totals([1, 3, math.nan, 2], [10, 20, 30, 0])
    assert (t.days, t.numerator, t.denominator, t.left_out) == (2, 4, 30, 2)
    assert t.rate == pytest.approx(4 / 30)
    assert t.weighted_squares == pytest.approx(1 / 10 + 9 / 20)


def test_scatter_is_pearsons_chi_square() -> None:
    y, n = np.array([1.0, 3, 2]), np.array([10.0, 20, 30])
    p = y.sum() / n.sum()
    expected = ((y - n * p) ** 2 / (n * p * (1 - p))).sum()
    assert rate_totals(y, n).scatter() == pytest.approx(expected)
    assert rate_totals(y, n).scatter(bounded=False) == pytest.approx(expected * (1 - p))
    assert math.isnan(rate_totals([0, 0], [5, 5]).scatter())


@given(DAYS, st.integers(0, 30))
def test_days_merge_in_any_cut(days: list[tuple[int, int]], cut: int) -> None:
    y, n = zip(*days, strict=True)
    whole = rate_totals(y, n)
    halves = rate_totals(y[:cut], n[:cut]) + rate_totals(y[cut:], n[cut:])
    assert (halves.days, halves.numerator, halves.denominator) == (
        whole.days, whole.numerator, whole.denominator,
    )  # fmt: skip
    assert halves.weighted_squares == pytest.approx(whole.weighted_squares)


@pytest.mark.parametrize(
    ("y", "n", "message"),
    [([1], [1, 2], "one number per day"), ([-1], [1], "negative"), ([1], [math.inf], "infinite")],
)
def test_malformed_counts(y: list[float], n: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rate_totals(y, n)
