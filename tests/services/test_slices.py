"""Slices cover every day once, newest first, and are cut alike when an account grew a little."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.core.periods import DateRange
from adlab.services.slices import SLICE_ROWS, cut, slice_days

UNTIL = date(2026, 11, 20)


def last(days: int) -> DateRange:
    return DateRange(UNTIL - timedelta(days=days - 1), UNTIL)


@given(st.integers(1, 1200), st.integers(0, 200_000))
def test_every_day_is_in_exactly_one_slice(days: int, rows: int) -> None:
    slices = cut(last(days), rows)
    assert [d for s in reversed(slices) for d in s] == list(last(days))
    assert all(s.days == 1 or s.days * max(rows, 1) <= SLICE_ROWS for s in slices)


@pytest.mark.parametrize(
    ("rows", "days"),
    [(1, 90), (111, 90), (112, 60), (999, 10), (1000, 7), (9999, 1), (50_000, 1)],
)
def test_a_slice_is_one_question_of_ten_thousand_rows(rows: int, days: int) -> None:
    assert slice_days(rows) == days


def test_the_newest_week_comes_first_and_alone() -> None:
    assert [s.days for s in cut(last(90), 5)] == [7, 83]
    assert [s.days for s in cut(last(90), 1000)] == [*[7] * 12, 6]
    assert [s.days for s in cut(last(3), 1000)] == [3]


def test_a_few_more_objects_do_not_move_the_slices() -> None:
    assert cut(last(400), 600) == cut(last(400), 640)
