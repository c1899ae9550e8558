"""Moments people name (`as_of`), and what thinning hides of what was known then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from adlab.core.periods import DateRange, today_in
from adlab.storage.versions import EACH_POLL_FOR, HOURLY_FOR


def read_moment(
    as_of: datetime | date | str, timezones: Sequence[str], now: datetime
) -> datetime:  # fmt: skip
    """The instant `as_of` means; a day means its end, where it ends last.

    Raises:
        ValueError: If it is malformed, has no timezone, or lies ahead.
    """
    value: date | str = as_of
    if isinstance(value, str):
        try:
            # Reason: a day alone and a moment are different questions, and both are ISO text.
            value = date.fromisoformat(value) if len(value) <= 10 else datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(
                f"as_of={as_of!r} is no moment; write it as 2026-11-03 or 2026-11-03T14:00+01:00"
            ) from None
    if not isinstance(value, datetime):
        end = value + timedelta(days=1)
        value = max(datetime.combine(end, time(), ZoneInfo(z)) for z in timezones) - timedelta(
            microseconds=1
        )
        return min(value.astimezone(UTC), now)
    if value.tzinfo is None:
        raise ValueError(f"as_of={as_of!r} has no timezone; write it as {value.isoformat()}+00:00")
    if value > now:
        raise ValueError(f"as_of={as_of!r} lies ahead of now ({now.isoformat()})")
    return value.astimezone(UTC)


def thinning_note(
    as_of: datetime, period: DateRange, timezones: Sequence[str], now: datetime
) -> str | None:
    """What thinning makes inexact of an answer as of a moment; None when it is exact."""
    if now - as_of <= EACH_POLL_FOR:
        return None
    days = sorted({d for z in timezones if (d := today_in(z, as_of)) in period})
    if not days:
        return None
    which = ", ".join(d.isoformat() for d in days)
    if now - as_of <= EACH_POLL_FOR + HOURLY_FOR:
        return f"{which} was still running: its values are kept by the hour, up to an hour older"
    return (
        f"{which} was still running: of days that ended more than nine days ago only the last "
        "version is kept, so rows of it are missing where they were seen later"
    )
