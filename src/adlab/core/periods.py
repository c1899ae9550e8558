"""Periods in an account's own calendar: ranges of days, comparisons, presets.

A `date` here is always a day of the ad account's timezone. What "today" is comes in as an
argument; this module never looks at a clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

RESTATEMENT_DAYS = 28
TOTALS_MONTHS = 37

Increment = int | Literal["monthly", "all_days"]


@dataclass(frozen=True, order=True)
class DateRange:
    """Days from `since` to `until`, both included.

    Raises:
        ValueError: If it ends before it starts.
    """

    since: date
    until: date

    def __post_init__(self) -> None:
        if self.until < self.since:
            raise ValueError(f"the period ends ({self.until}) before it starts ({self.since})")

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.until - self.since).days + 1

    def __iter__(self) -> Iterator[date]:
        """Every day, oldest first."""
        return (self.since + timedelta(days=i) for i in range(self.days))

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.since <= day <= self.until

    def previous(self) -> DateRange:
        """The equally long period just before."""
        return DateRange(self.since - timedelta(days=self.days), self.since - timedelta(days=1))

    def previous_year(self) -> DateRange:
        """The same dates one year earlier; 29 February becomes the 28th."""
        return DateRange(_year_back(self.since), _year_back(self.until))

    def clamp(self, earliest: date, latest: date) -> DateRange | None:
        """The part inside `earliest`..`latest`, or None when nothing is left."""
        since, until = max(self.since, earliest), min(self.until, latest)
        return DateRange(since, until) if since <= until else None

    def slices(self, days: int, newest_first: bool = True) -> list[DateRange]:
        """Cut into pieces of at most `days` days.

        Args:
            days: Longest piece.
            newest_first: Whether the piece with the newest day comes first.
        """
        pieces: list[DateRange] = []
        until = self.until
        while until >= self.since:
            since = max(self.since, until - timedelta(days=days - 1))
            pieces.append(DateRange(since, until))
            until = since - timedelta(days=1)
        return pieces if newest_first else pieces[::-1]

    def __str__(self) -> str:
        return f"{self.since}..{self.until}"


def _year_back(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def check_timezone(name: str) -> str:
    """Return an IANA timezone name that exists.

    Raises:
        ValueError: If there is no such timezone.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is not a timezone; use an IANA name, such as Europe/Berlin"
        ) from None
    return name


def today_in(timezone: str, now: datetime) -> date:
    """The current day in `timezone`, given an aware instant.

    Raises:
        ValueError: If `now` is naive.
    """
    if now.tzinfo is None:
        raise ValueError("now must be timezone-aware")
    return now.astimezone(ZoneInfo(timezone)).date()


def months_back(day: date, months: int) -> date:
    """The same day `months` earlier, or the last day of that month."""
    index = day.year * 12 + day.month - 1 - months
    year, month = divmod(index, 12)
    last = (date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


_LAST = re.compile(r"^(\d{1,4})\s*([dwm])$")

PRESETS = (
    "today", "yesterday", "7d", "14d", "28d", "30d", "90d", "mtd", "last_month", "qtd", "ytd",
    "13m",
)  # fmt: skip


def last_period(text: str, today: date, include_today: bool = False) -> DateRange:
    """Read `30d`, `4w`, `3m`, `mtd`, `last_month`, `qtd`, `ytd`, `today`, `yesterday`.

    Args:
        text: The period. `Nd`, `Nw` and `Nm` end yesterday unless `include_today`.
        today: The account's current day.
        include_today: Let the period end today; it then holds a part of a day.

    Raises:
        ValueError: If the text is none of these, or the period would hold no day.
    """
    key = text.strip().lower()
    end = today if include_today else today - timedelta(days=1)
    if match := _LAST.match(key):
        count, unit = int(match[1]), match[2]
        if count < 1:
            raise ValueError(f"last={text!r} holds no day")
        if unit == "m":
            return DateRange(months_back(end, count) + timedelta(days=1), end)
        return DateRange(end - timedelta(days=count * (7 if unit == "w" else 1) - 1), end)
    if key == "today":
        return DateRange(today, today)
    if key == "yesterday":
        return DateRange(today - timedelta(days=1), today - timedelta(days=1))
    if key == "last_month":
        until = today.replace(day=1) - timedelta(days=1)
        return DateRange(until.replace(day=1), until)
    starts = {
        "mtd": today.replace(day=1),
        "qtd": today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1),
        "ytd": today.replace(month=1, day=1),
    }
    if key in starts:
        # Reason: on the first of a month there is no complete day yet; today alone is the answer.
        return DateRange(starts[key], max(end, starts[key]))
    raise ValueError(
        f"last={text!r} is not a period; use 30d, 4w, 3m, mtd, qtd, ytd, last_month, yesterday"
    )


@dataclass(frozen=True)
class Epoch:
    """A change of what Meta's numbers mean.

    Attributes:
        starts_on: First day of the new meaning.
        title: In a few words.
        detail: In a sentence.
        last_on: Last day of a change that was rolled out over some time; None for a single day.
        metrics: Metrics it concerns; empty stands for all.
        source: Who says so.
    """

    starts_on: date
    title: str
    detail: str
    last_on: date | None = None
    metrics: tuple[str, ...] = ()
    source: str = ""

    @property
    def ends_on(self) -> date:
        """Last day on which old and new meaning may be mixed."""
        return self.last_on or self.starts_on

    def crossed_by(self, first: date, last: date) -> bool:
        """Whether days from `first` to `last` hold both meanings."""
        return first < self.ends_on and self.starts_on <= last


def epochs_between(epochs: Iterable[Epoch], first: date, last: date) -> tuple[Epoch, ...]:
    """Definition changes within `first` to `last`: comparisons across them mislead."""
    return tuple(e for e in epochs if e.crossed_by(first, last))
