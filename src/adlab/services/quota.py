"""Forecast what keeping an account up to date costs of Meta's quota, before it is switched on.

Pure arithmetic on Meta's published limits: calls count, not rows. Limited and Full are Meta's names
of the access tiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import Literal

from adlab.core.breakdowns import BREAKDOWNS
from adlab.core.entities import Level
from adlab.core.quota import FULL, LIMITED, SCORE, SLOW_FROM_PERCENT, STOPS

Tier = Literal["limited", "full"]
TIERS: dict[Tier, str] = {"limited": LIMITED, "full": FULL}

# Calls an hour: a base and so many for each active ad.
_INSIGHTS = {"limited": (600, 400), "full": (190_000, 400)}
_MANAGEMENT = {"limited": (300, 40), "full": (100_000, 40)}
_REPORT_FROM_ROWS = 10_000
_REPORT_CALLS = 10  # one to ask for it, about nine to look whether it is done
_OBJECTS_A_PAGE = 500
_DAYS_A_MONTH = 30.44
_BACKFILL_SLICE_DAYS = 30
# Rows an object and day of a breakdown whose usual number is not known.
_OTHER_BREAKDOWN_ROWS = 20


@dataclass(frozen=True)
class Cadence:
    """How often how many of the newest days are read again.

    Attributes:
        name: `hot`, `warm` or `cold`.
        minutes: Between two readings; 0 switches it off.
        days: Newest days, today included.
    """

    name: str
    minutes: float
    days: int

    @property
    def an_hour(self) -> float:
        """Readings an hour."""
        return 60 / self.minutes if self.minutes > 0 else 0.0


# What `adlab worker` does; see `services.schedule`.
HOT, WARM, COLD = Cadence("hot", 15, 1), Cadence("warm", 60, 1), Cadence("cold", 24 * 60, 28)


@dataclass(frozen=True)
class Wanted:
    """A configuration for one account.

    Attributes:
        campaigns: Campaigns, with ad sets and ads: those that exist, archived ones included.
        ad_sets: Likewise.
        ads: Likewise.
        active_ads: Ads that deliver; they raise the hourly limits and make the rows of a day.
            All ads when None.
        levels: Levels of insights.
        breakdowns: Names of breakdowns, read with the cold cadence at the deepest level.
        cadences: How often what is read.
        backfill_months: Months of history to load once.
        page_size: Rows a page.
    """

    campaigns: int
    ad_sets: int
    ads: int
    active_ads: int | None = None
    levels: tuple[str, ...] = ("account", "campaign", "adset", "ad")
    breakdowns: tuple[str, ...] = ()
    cadences: tuple[Cadence, ...] = (HOT, WARM, COLD)
    backfill_months: float = 0.0
    page_size: int = 1000

    @property
    def delivering(self) -> int:
        """Ads that deliver."""
        return self.ads if self.active_ads is None else self.active_ads

    def rows_a_day(self, level: str) -> int:
        """Rows a day at a level: objects that deliver, never more than there are."""
        counts = {"account": 1, "campaign": self.campaigns, "adset": self.ad_sets, "ad": self.ads}
        return min(counts[level], max(1, self.delivering))


@dataclass(frozen=True)
class QuotaPlan:
    """What a configuration costs, and whether Meta allows it.

    Attributes:
        calls_per_hour: Calls an hour in the long run, without the back-fill.
        points_per_5_minutes: Points of the account's score in five minutes, likewise on average.
        busiest_points: Points when everything is due at the same moment.
        fits_limited: Whether it stays below three quarters of every limit of the Limited tier.
        fits_full: Likewise of the Full tier.
        dropped: What to leave out, in this order, to fit the tier asked about; empty when it fits.
        fits_after_dropping: Whether that is enough.
        backfill_calls: Calls of the back-fill, once.
        eta: How long the back-fill takes beside the rest; None when there is no room for it.
        tier: The tier `dropped` and `eta` are about.
    """

    calls_per_hour: float
    points_per_5_minutes: float
    busiest_points: int
    fits_limited: bool
    fits_full: bool
    dropped: tuple[str, ...]
    fits_after_dropping: bool
    backfill_calls: int
    eta: timedelta | None
    tier: Tier

    @property
    def fits(self) -> bool:
        """Whether it fits the tier asked about as it is."""
        return self.fits_limited if self.tier == "limited" else self.fits_full


def forecast(wanted: Wanted, tier: Tier = "limited") -> QuotaPlan:
    """What a configuration costs of Meta's quota.

    Args:
        wanted: The configuration of one account; quotas are per app and account.
        tier: Tier of the app, for what to drop and how long the back-fill takes.

    Returns:
        The plan; everything stays below 75 % of the limits where it fits, because from there on
        calls are slowed down.

    Raises:
        ValueError: If a count is negative, or a level or tier is unknown.
    """
    _check(wanted, tier)
    insights, management = _calls_an_hour(wanted)
    per_hour = insights + management
    fits = {t: _fits(wanted, t) for t in TIERS}
    dropped, last = ((), wanted) if fits[tier] else _drops(wanted, tier)
    backfill = backfill_calls(wanted)
    return QuotaPlan(
        calls_per_hour=round(per_hour, 1),
        points_per_5_minutes=round(per_hour / 12, 1),
        busiest_points=sum(_due(wanted, c) for c in wanted.cadences if c.minutes > 0),
        fits_limited=fits["limited"],
        fits_full=fits["full"],
        dropped=dropped,
        fits_after_dropping=_fits(last, tier),
        backfill_calls=backfill,
        eta=_eta(backfill, per_hour, wanted, tier),
        tier=tier,
    )


def backfill_calls(wanted: Wanted) -> int:
    """Calls to load the wanted history once, by month and level."""
    days = round(wanted.backfill_months * _DAYS_A_MONTH)
    if days <= 0:
        return 0
    slices = [min(_BACKFILL_SLICE_DAYS, days - d) for d in range(0, days, _BACKFILL_SLICE_DAYS)]
    return sum(
        _calls(rows * part, wanted.page_size)
        for part in slices
        for rows in _questions(wanted, True)
    )


def _check(wanted: Wanted, tier: str) -> None:
    if tier not in TIERS:
        raise ValueError(f"there is no tier {tier!r}; tiers are {', '.join(TIERS)}")
    for name in wanted.levels:
        if Level.parse(name).word != name:
            raise ValueError(f"levels are account, campaign, adset and ad, not {name!r}")
    if not wanted.levels:
        raise ValueError("at least one level is needed")
    numbers = (wanted.campaigns, wanted.ad_sets, wanted.ads, wanted.delivering,
               wanted.backfill_months, *(c.minutes for c in wanted.cadences))  # fmt: skip
    if min(numbers) < 0 or wanted.page_size < 1:
        raise ValueError("counts, months and minutes cannot be negative")


def _questions(wanted: Wanted, with_breakdowns: bool) -> Iterable[int]:
    """Rows a day of each question that is asked."""
    for level in wanted.levels:
        yield wanted.rows_a_day(level)
    if with_breakdowns:
        deepest = max(wanted.levels, key=lambda name: Level.parse(name))
        for name in wanted.breakdowns:
            yield wanted.rows_a_day(deepest) * _breakdown_rows(name)


def _breakdown_rows(name: str) -> int:
    known = BREAKDOWNS.get(name)
    return known.values if known is not None else _OTHER_BREAKDOWN_ROWS


def _calls(rows: int, page_size: int) -> int:
    pages = max(1, ceil(rows / page_size))
    return pages + (_REPORT_CALLS if rows >= _REPORT_FROM_ROWS else 0)


def _insights_calls(wanted: Wanted, cadence: Cadence) -> int:
    """Calls of one reading."""
    slow = max((c for c in wanted.cadences if c.minutes > 0), key=lambda c: c.minutes, default=None)
    rows = _questions(wanted, cadence is slow)
    return sum(_calls(r * cadence.days, wanted.page_size) for r in rows)


def _object_calls(wanted: Wanted) -> int:
    counts = (wanted.campaigns, wanted.ad_sets, wanted.ads)
    return 1 + sum(max(1, ceil(n / _OBJECTS_A_PAGE)) for n in counts)


def _reads_objects(cadence: Cadence) -> bool:
    return cadence.name != "hot"


def _due(wanted: Wanted, cadence: Cadence) -> int:
    objects = _object_calls(wanted) if _reads_objects(cadence) else 1
    return _insights_calls(wanted, cadence) + objects


def _calls_an_hour(wanted: Wanted) -> tuple[float, float]:
    """Calls an hour on insights and on everything else."""
    insights = sum(_insights_calls(wanted, c) * c.an_hour for c in wanted.cadences)
    other = sum(
        (_object_calls(wanted) if _reads_objects(c) else 1) * c.an_hour for c in wanted.cadences
    )
    return insights, other


def _limits(wanted: Wanted, tier: Tier) -> tuple[float, float, float]:
    """Calls an hour on insights, on everything else, and points in five minutes."""
    active = wanted.delivering
    return (
        _INSIGHTS[tier][0] + _INSIGHTS[tier][1] * active,
        _MANAGEMENT[tier][0] + _MANAGEMENT[tier][1] * active,
        SCORE[TIERS[tier]],
    )


def _fits(wanted: Wanted, tier: Tier) -> bool:
    insights, other = _calls_an_hour(wanted)
    most_insights, most_other, most_points = _limits(wanted, tier)
    room = SLOW_FROM_PERCENT / 100
    return (
        insights <= room * most_insights
        and other <= room * most_other
        and (insights + other) / 12 <= room * most_points
    )


def _drops(wanted: Wanted, tier: Tier) -> tuple[tuple[str, ...], Wanted]:
    """Leave out the least needed first until it fits; what was left out, and what remains."""
    told: list[str] = []
    for text, less in _lesser(wanted):
        wanted = less
        told.append(text)
        if _fits(wanted, tier):
            break
    return tuple(told), wanted


def _lesser(wanted: Wanted) -> Iterable[tuple[str, Wanted]]:
    heaviest = sorted(wanted.breakdowns, key=lambda name: -_breakdown_rows(name))
    for name in heaviest:
        wanted = replace(wanted, breakdowns=tuple(b for b in wanted.breakdowns if b != name))
        yield f"breakdown {name}", wanted
    for name, minutes in (("hot", 30.0), ("warm", 180.0), ("hot", 60.0), ("warm", 720.0)):
        if any(c.name == name and 0 < c.minutes < minutes for c in wanted.cadences):
            wanted = replace(wanted, cadences=_slower(wanted.cadences, name, minutes))
            yield f"{name} readings every {minutes:.0f} minutes only", wanted
    for level in ("ad", "adset", "campaign"):
        if level in wanted.levels and len(wanted.levels) > 1:
            wanted = replace(wanted, levels=tuple(v for v in wanted.levels if v != level))
            yield f"level {level}", wanted
    if any(c.name == "hot" and c.minutes > 0 for c in wanted.cadences):
        wanted = replace(wanted, cadences=tuple(c for c in wanted.cadences if c.name != "hot"))
        yield "hot readings", wanted


def _slower(cadences: Sequence[Cadence], name: str, minutes: float) -> tuple[Cadence, ...]:
    return tuple(replace(c, minutes=minutes) if c.name == name else c for c in cadences)


def _eta(calls: int, per_hour: float, wanted: Wanted, tier: Tier) -> timedelta | None:
    if calls == 0:
        return timedelta()
    insights, _, points = _limits(wanted, tier)
    room = min(insights, points * 12) * STOPS["backfill"] / 100 - per_hour
    return timedelta(hours=calls / room) if room > 0 else None
