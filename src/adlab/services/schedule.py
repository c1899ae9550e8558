"""When what is read: turns of an account in its own timezone, by how alive it is.

An account that spends is hot and read every quarter of an hour, as often as Meta refreshes; a warm
one every hour; a cold one in its night only, like all others. Turns are spread over the hour by the
account's number, so that a thousand accounts do not call at once. Nightly turns lie outside the
hours that clocks skip or repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

from adlab.core.entities import INSIGHT_LEVELS, Level, LevelName
from adlab.core.periods import today_in
from adlab.storage.jobs import ScheduledAccount

Temperature = Literal["hot", "warm", "cold"]

WARM_DAYS = 7
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Schedule:
    """A kind of job that comes back.

    Attributes:
        kind: What to do.
        key: One of these waits or runs at a time.
        hour: Hours of the day in cron's words, in `timezone`.
        minute: Minutes of the hour likewise.
        timezone: IANA name.
        period: About how long from one turn to the next.
        priority: 0 live, 1 report, 2 back-fill.
        client_id: Whose; None for the whole agency.
        account_id: Which account; None for all.
    """

    kind: str
    key: str
    hour: str
    minute: str
    timezone: str
    period: timedelta
    priority: int = 0
    client_id: int | None = None
    account_id: int | None = None


def temperature(account: ScheduledAccount, now: datetime) -> Temperature:
    """How alive an account is.

    Args:
        account: The account.
        now: Current aware time.
    """
    today = today_in(account.timezone, now)
    if not account.loaded:
        # Reason: somebody who just connected waits for the first numbers.
        return "hot"
    if account.spent_on is not None:
        idle = (today - account.spent_on).days
        if idle <= 1:
            return "hot"
        if idle <= WARM_DAYS:
            return "warm"
    return "warm" if account.active else "cold"


def levels_that_fit(
    daily_rows: Mapping[Level, int], page_size: int, points: float
) -> tuple[tuple[LevelName, ...], tuple[LevelName, ...]]:
    """Which levels of a day one turn may read within so many points, and which it leaves out.

    Args:
        daily_rows: About how many rows a day has at each level.
        page_size: Rows a page; a page is a call, and a call a point.
        points: What may be spent on it.

    Returns:
        Levels to read, the shallowest first, and the levels that are left to a slower turn.
    """
    fits: list[LevelName] = []
    rest: list[LevelName] = []
    spent = 0
    for level in INSIGHT_LEVELS:
        rows = 1 if level is Level.ACCOUNT else daily_rows.get(level, 1)
        spent += max(1, -(-rows // page_size))
        name = cast(LevelName, level.word)
        (fits if spent <= points and not rest else rest).append(name)
    return tuple(fits) or ("account",), tuple(rest)


def account_schedules(account: ScheduledAccount, now: datetime) -> tuple[Schedule, ...]:
    """The turns of one account.

    - `today`: the running day, every quarter of an hour (hot) or hour (warm);
    - `rest`: every hour, the levels a hot account's `today` has no quota for;
    - `objects`: objects that changed, every hour (hot and warm);
    - `close`: the day that just ended, soon after midnight (hot and warm);
    - `night`: all objects and the last 28 days, once a night;
    - `catalogue`: what stands beside the ads, and `breakdowns`: once a night (hot and warm daily,
      cold not at all, because nothing moves there).
    """
    heat, number = temperature(account, now), account.account_id

    def turn(kind: str, hour: str, minute: str, period: timedelta, priority: int = 0) -> Schedule:
        return Schedule(
            kind, f"{kind}:{number}", hour, minute, account.timezone, period, priority,
            account.client_id, number,
        )  # fmt: skip

    night = 4 + number // 60 % 2
    turns = [turn("night", str(night), str(number % 60), DAY, 1)]
    if heat == "cold":
        return tuple(turns)
    if heat == "hot":
        turns.append(turn("today", "*", f"{number % 15}-59/15", timedelta(minutes=15)))
        turns.append(turn("rest", "*", str((number + 7) % 60), HOUR, 1))
    else:
        turns.append(turn("today", "*", str(number % 60), HOUR))
    turns += [
        turn("objects", "*", str((number + 30) % 60), HOUR),
        turn("close", "0", str(30 + number % 25), DAY),
        turn("catalogue", str(night + 1), str((number + 20) % 60), DAY, 1),
        turn("breakdowns", str(night + 1), str((number + 40) % 60), DAY, 1),
    ]
    return tuple(turns)


def agency_schedules() -> tuple[Schedule, ...]:
    """Turns that belong to no account: tokens, requests to delete, what is old."""
    return (
        Schedule("upkeep", "upkeep", "*", "7-59/20", "UTC", timedelta(minutes=20)),
        Schedule("deletions", "deletions", "*", "17", "UTC", HOUR),
        Schedule("changes", "changes", "*", "*", "UTC", timedelta(minutes=1)),
        Schedule("conversions", "conversions", "*", "*", "UTC", timedelta(minutes=1)),
        Schedule("audit", "audit", "*", "*", "UTC", timedelta(minutes=1)),
        Schedule("sessions", "sessions", "*", "*", "UTC", timedelta(minutes=1)),
        # Reason: whoever receives a webhook asks for this very key at once; the minute catches
        # what came while it ran.
        Schedule("inbox", "inbox", "*", "*", "UTC", timedelta(minutes=1)),
        Schedule("subscriptions", "subscriptions", "5", "17", "UTC", DAY, 1),
        Schedule("retention", "retention", "2", "23", "UTC", DAY, 1),
        Schedule("housekeeping", "housekeeping", "3", "41", "UTC", DAY, 1),
    )
