"""Days as an ad account counts them: local midnights, DST, presets and time buckets.

Days are ordinals (`date.toordinal`). Nothing here knows about insights or HTTP.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

OLDEST_MONTHS = 37


class DayRange(NamedTuple):
    """Account-local days as ordinals, both ends included."""

    since: int
    until: int


@lru_cache(maxsize=16384)
def day_start(zone: ZoneInfo, day: int) -> int:
    """Give the Unix second at which a local day begins."""
    local = datetime.combine(date.fromordinal(day), datetime.min.time(), zone)
    return int(local.timestamp())


@lru_cache(maxsize=16384)
def hours_of_day(zone: ZoneInfo, day: int) -> tuple[int, ...]:
    """List the wall-clock hour of each real hour of a day: 24 entries, or 23 or 25 on DST days."""
    start, end = day_start(zone, day), day_start(zone, day + 1)
    return tuple(datetime.fromtimestamp(second, zone).hour for second in range(start, end, 3600))


def local_day(zone: ZoneInfo, seconds: float) -> int:
    """Give the local day that a Unix time falls on."""
    return datetime.fromtimestamp(seconds, zone).toordinal()


def local_text(zone: ZoneInfo, seconds: float) -> str:
    """Write a Unix time as the Graph API does: ``2026-11-03T14:05:00-0800``."""
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%dT%H:%M:%S%z")


def utc_offset_hours(zone: ZoneInfo, seconds: float) -> float:
    """Give the offset to UTC in hours at a time, DST included."""
    delta = datetime.fromtimestamp(seconds, UTC).astimezone(zone).utcoffset() or timedelta()
    return delta.total_seconds() / 3600


@lru_cache(maxsize=65536)
def day_text(day: int) -> str:
    """Write an ordinal as an ISO date."""
    return date.fromordinal(day).isoformat()


def oldest_day(today: int) -> int:
    """Give the first day that is still within 37 months."""
    day = date.fromordinal(today)
    months = day.year * 12 + day.month - 1 - OLDEST_MONTHS
    last = (date(months // 12, months % 12 + 1, 28) + timedelta(days=4)).replace(day=1)
    return date(
        months // 12, months % 12 + 1, min(day.day, (last - timedelta(days=1)).day)
    ).toordinal()


def month_start(day: int) -> int:
    """Give the first day of the month."""
    return date.fromordinal(day).replace(day=1).toordinal()


def next_month(day: int) -> int:
    """Give the first day of the following month."""
    return month_start(month_start(day) + 32)


def _quarter_start(day: int) -> int:
    moment = date.fromordinal(day)
    return date(moment.year, (moment.month - 1) // 3 * 3 + 1, 1).toordinal()


def preset_range(preset: str, today: int) -> DayRange | None:
    """Give the days a `date_preset` names, or None when there is no such preset."""
    weekday = (today - 1) % 7  # ordinal 1 was a Monday
    monday, sunday = today - weekday, today - (weekday + 1) % 7
    month, quarter = month_start(today), _quarter_start(today)
    year = date.fromordinal(today).replace(month=1, day=1).toordinal()
    fixed = {
        "today": DayRange(today, today),
        "yesterday": DayRange(today - 1, today - 1),
        "this_week_mon_today": DayRange(monday, today),
        "this_week_sun_today": DayRange(sunday, today),
        "last_week_mon_sun": DayRange(monday - 7, monday - 1),
        "last_week_sun_sat": DayRange(sunday - 7, sunday - 1),
        "this_month": DayRange(month, today),
        "last_month": DayRange(month_start(month - 1), month - 1),
        "this_quarter": DayRange(quarter, today),
        "last_quarter": DayRange(_quarter_start(quarter - 1), quarter - 1),
        "this_year": DayRange(year, today),
        "last_year": DayRange(date(date.fromordinal(year - 1).year, 1, 1).toordinal(), year - 1),
        "maximum": DayRange(oldest_day(today), today),
        "data_maximum": DayRange(oldest_day(today), today),
    }
    for days in (3, 7, 14, 28, 30, 90):
        fixed[f"last_{days}d"] = DayRange(today - days, today - 1)
    return fixed.get(preset)


def buckets_of(days: DayRange, increment: int | str) -> list[DayRange]:
    """Cut a range into the pieces that `time_increment` asks for."""
    if increment == "all_days":
        return [days]
    pieces: list[DayRange] = []
    day = days.since
    while day <= days.until:
        after = next_month(day) if increment == "monthly" else day + int(increment)
        pieces.append(DayRange(day, min(after - 1, days.until)))
        day = after
    return pieces


def moment_of(zone: ZoneInfo, text: str) -> int:
    """Read an ISO date or time as Unix seconds; without an offset it is local.

    Raises:
        ValueError: If the text is no ISO date or time.
    """
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())
