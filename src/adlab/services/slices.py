"""How a range of days is cut into slices, the units that are read, committed and resumed.

A slice is small enough to be one synchronous question and a short transaction, and large enough
that calls are not wasted. Lengths come from a short list, so that an account that grew a little
between an interruption and the next run is cut the same way and nothing is read twice.
"""

from __future__ import annotations

from datetime import timedelta

from adlab.core.periods import DateRange

# A first look comes quickly: the newest week is a slice of its own.
NEWEST_DAYS = 7
# Reason: from ten thousand rows on a report is asked for, which takes longer than a few pages.
SLICE_ROWS = 9_999
LENGTHS = (90, 60, 30, 15, 10, 7, 5, 3, 2, 1)


def slice_days(rows_per_day: int) -> int:
    """Days in a slice of an account with so many rows a day."""
    return next((n for n in LENGTHS if n * rows_per_day <= SLICE_ROWS), 1)


def cut(period: DateRange, rows_per_day: int) -> list[DateRange]:
    """Cut a period into slices, newest first.

    Args:
        period: Days to read.
        rows_per_day: About how many rows a day brings.
    """
    longest = slice_days(max(1, rows_per_day))
    first = min(longest, NEWEST_DAYS)
    if period.days <= first:
        return [period]
    newest = DateRange(period.until - timedelta(days=first - 1), period.until)
    older = DateRange(period.since, newest.since - timedelta(days=1))
    return [newest, *older.slices(longest)]
