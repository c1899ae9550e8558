"""Periods are days of the account's own calendar; daylight saving and leap years change nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.core.periods import (
    PRESETS,
    DateRange,
    Epoch,
    check_timezone,
    epochs_between,
    last_period,
    months_back,
    today_in,
)

SATURDAY = date(2026, 11, 21)


def span(since: str, until: str) -> DateRange:
    return DateRange(date.fromisoformat(since), date.fromisoformat(until))


@st.composite
def ranges(draw: st.DrawFn) -> DateRange:
    since = draw(st.dates(min_value=date(2020, 1, 1), max_value=date(2030, 12, 31)))
    return DateRange(since, since + timedelta(days=draw(st.integers(0, 500))))


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("1d", "2026-11-20", "2026-11-20"),
        ("7d", "2026-11-14", "2026-11-20"),
        ("30d", "2026-10-22", "2026-11-20"),
        (" 30D ", "2026-10-22", "2026-11-20"),
        ("4w", "2026-10-24", "2026-11-20"),
        ("1m", "2026-10-21", "2026-11-20"),
        ("3m", "2026-08-21", "2026-11-20"),
        ("13m", "2025-10-21", "2026-11-20"),
        ("today", "2026-11-21", "2026-11-21"),
        ("yesterday", "2026-11-20", "2026-11-20"),
        ("mtd", "2026-11-01", "2026-11-20"),
        ("qtd", "2026-10-01", "2026-11-20"),
        ("ytd", "2026-01-01", "2026-11-20"),
        ("last_month", "2026-10-01", "2026-10-31"),
    ],
)
def test_each_period_of_a_saturday_in_november(text: str, since: str, until: str) -> None:
    assert last_period(text, SATURDAY) == span(since, until)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("1d", "2026-11-21", "2026-11-21"),
        ("7d", "2026-11-15", "2026-11-21"),
        ("1m", "2026-10-22", "2026-11-21"),
        ("mtd", "2026-11-01", "2026-11-21"),
        ("last_month", "2026-10-01", "2026-10-31"),
        ("yesterday", "2026-11-20", "2026-11-20"),
    ],
)
def test_periods_may_end_today(text: str, since: str, until: str) -> None:
    assert last_period(text, SATURDAY, include_today=True) == span(since, until)


@pytest.mark.parametrize(
    ("today", "text", "since", "until"),
    [
        ("2026-11-01", "mtd", "2026-11-01", "2026-11-01"),
        ("2026-10-01", "qtd", "2026-10-01", "2026-10-01"),
        ("2026-01-01", "ytd", "2026-01-01", "2026-01-01"),
        ("2026-01-01", "last_month", "2025-12-01", "2025-12-31"),
        ("2026-01-15", "qtd", "2026-01-01", "2026-01-14"),
        ("2028-03-01", "last_month", "2028-02-01", "2028-02-29"),
        ("2026-03-01", "last_month", "2026-02-01", "2026-02-28"),
        ("2026-04-01", "1m", "2026-03-01", "2026-03-31"),
        ("2026-03-01", "1m", "2026-01-29", "2026-02-28"),
    ],
)
def test_ends_of_months_and_years(today: str, text: str, since: str, until: str) -> None:
    assert last_period(text, date.fromisoformat(today)) == span(since, until)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_of_the_boards_is_a_period(preset: str) -> None:
    assert last_period(preset, SATURDAY).until <= SATURDAY


@pytest.mark.parametrize("text", ["0d", "0w", "0m"])
def test_a_period_of_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="holds no day"):
        last_period(text, SATURDAY)


@pytest.mark.parametrize("text", ["", "30", "d", "30 days", "-7d", "last week", "12345d", "7y"])
def test_what_is_no_period_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="use 30d, 4w, 3m, mtd, qtd, ytd"):
        last_period(text, SATURDAY)


def test_a_range_counts_both_ends() -> None:
    week = span("2026-02-26", "2026-03-02")
    assert week.days == 5
    assert [d.day for d in week] == [26, 27, 28, 1, 2]
    assert date(2026, 3, 2) in week
    assert date(2026, 3, 3) not in week
    assert "2026-02-27" not in week
    assert str(week) == "2026-02-26..2026-03-02"


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ends \(2026-11-01\) before it starts \(2026-11-02\)"):
        span("2026-11-02", "2026-11-01")


def test_days_are_counted_the_same_across_daylight_saving() -> None:
    assert span("2026-03-28", "2026-03-30").days == 3
    assert span("2026-10-24", "2026-10-26").days == 3


def test_the_previous_period_is_as_long_and_touches() -> None:
    assert span("2026-11-08", "2026-11-14").previous() == span("2026-11-01", "2026-11-07")
    assert span("2026-03-01", "2026-03-31").previous() == span("2026-01-29", "2026-02-28")


@pytest.mark.parametrize(
    ("since", "until", "earlier_since", "earlier_until"),
    [
        ("2026-11-01", "2026-11-20", "2025-11-01", "2025-11-20"),
        ("2028-02-29", "2028-02-29", "2027-02-28", "2027-02-28"),
        ("2028-02-01", "2028-02-29", "2027-02-01", "2027-02-28"),
    ],
)
def test_the_previous_year_has_the_same_dates(
    since: str, until: str, earlier_since: str, earlier_until: str
) -> None:
    assert span(since, until).previous_year() == span(earlier_since, earlier_until)


@given(ranges())
def test_previous_periods_never_overlap(period: DateRange) -> None:
    before = period.previous()
    assert before.days == period.days
    assert before.until + timedelta(days=1) == period.since


def test_slices_come_newest_first() -> None:
    assert span("2026-11-01", "2026-11-10").slices(4) == [
        span("2026-11-07", "2026-11-10"),
        span("2026-11-03", "2026-11-06"),
        span("2026-11-01", "2026-11-02"),
    ]


def test_slices_can_come_oldest_first() -> None:
    assert span("2026-11-01", "2026-11-03").slices(2, newest_first=False) == [
        span("2026-11-01", "2026-11-01"),
        span("2026-11-02", "2026-11-03"),
    ]


@given(ranges(), st.integers(1, 60))
def test_slices_partition_the_range(period: DateRange, days: int) -> None:
    pieces = period.slices(days, newest_first=False)
    assert [d for piece in pieces for d in piece] == list(period)
    assert max(piece.days for piece in pieces) <= days
    assert pieces[::-1] == period.slices(days)


@pytest.mark.parametrize("days", [0, -1])
def test_slices_of_no_day_end_instead_of_running_for_ever(days: int) -> None:
    with pytest.raises(ValueError, match="before it starts"):
        span("2026-11-01", "2026-11-03").slices(days)


def test_clamping_keeps_the_part_inside_or_nothing() -> None:
    period = span("2026-11-01", "2026-11-10")
    assert period.clamp(date(2026, 11, 5), date(2026, 12, 1)) == span("2026-11-05", "2026-11-10")
    assert period.clamp(date(2026, 11, 11), date(2026, 12, 1)) is None


@pytest.mark.parametrize(
    ("day", "months", "earlier"),
    [
        ("2026-11-21", 1, "2026-10-21"),
        ("2026-03-31", 1, "2026-02-28"),
        ("2028-03-31", 1, "2028-02-29"),
        ("2026-01-31", 1, "2025-12-31"),
        ("2026-12-31", 12, "2025-12-31"),
        ("2026-11-21", 37, "2023-10-21"),
        ("2028-02-29", 48, "2024-02-29"),
        ("2028-02-29", 12, "2027-02-28"),
    ],
)
def test_months_back_stays_in_the_month(day: str, months: int, earlier: str) -> None:
    assert months_back(date.fromisoformat(day), months) == date.fromisoformat(earlier)


@given(st.dates(min_value=date(2000, 1, 1)), st.integers(0, 600))
def test_months_back_never_leaves_its_month(day: date, months: int) -> None:
    earlier = months_back(day, months)
    assert earlier.year * 12 + earlier.month == day.year * 12 + day.month - months
    assert earlier.day <= day.day


def test_today_is_the_accounts_and_not_utcs() -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    assert today_in("Asia/Tokyo", late) == date(2026, 11, 22)
    assert today_in("America/Los_Angeles", late) == date(2026, 11, 21)
    early = datetime(2026, 11, 21, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert today_in("UTC", early) == date(2026, 11, 20)


def test_a_naive_time_has_no_today() -> None:
    with pytest.raises(ValueError, match="timezone-aware"):
        today_in("UTC", datetime(2026, 11, 21))


@pytest.mark.parametrize(
    "name", ["", "Berlin", "Europe", "../../etc/passwd", "/etc/localtime", "UTC+1", "a\0b"]
)
def test_what_is_no_timezone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="use an IANA name, such as Europe/Berlin"):
        check_timezone(name)


def test_iana_names_are_timezones() -> None:
    assert check_timezone("America/Argentina/Buenos_Aires") == "America/Argentina/Buenos_Aires"


UNIFIED = Epoch(date(2025, 6, 10), "Unified attribution", "")
ROLLED_OUT = Epoch(date(2026, 3, 1), "Click means link click", "", date(2026, 4, 6))


def test_a_change_of_one_day_is_crossed_strictly_after_the_first_day() -> None:
    known = (UNIFIED, ROLLED_OUT)
    assert epochs_between(known, date(2025, 6, 9), date(2025, 6, 10)) == (UNIFIED,)
    assert epochs_between(known, date(2025, 6, 10), date(2026, 2, 28)) == ()
    assert epochs_between(known, date(2025, 1, 1), date(2026, 11, 1)) == known


def test_a_roll_out_is_crossed_by_days_that_begin_or_end_within_it() -> None:
    assert ROLLED_OUT.crossed_by(date(2026, 3, 20), date(2026, 5, 1))
    assert ROLLED_OUT.crossed_by(date(2026, 2, 1), date(2026, 3, 2))
    assert not ROLLED_OUT.crossed_by(date(2026, 4, 6), date(2026, 5, 1))
    assert not ROLLED_OUT.crossed_by(date(2026, 2, 1), date(2026, 2, 28))
