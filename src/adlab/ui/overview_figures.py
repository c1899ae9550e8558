"""The numbers of the agency overview, as values: each client in each of its currencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from adlab.core.periods import DateRange


@dataclass(frozen=True)
class Line:
    """One client in one currency.

    Attributes:
        currency: ISO code.
        values: Metric → value over the period; ratios are sums over sums.
        before: Spend in the days compared with; NaN when nothing is known.
        days: Spend per day of the period; NaN where nothing is known.
        days_before: The same of the days compared with.
        parts: The sums the values were made of (`m_…`, `n_…`, `d_…`).
    """

    currency: str
    values: Mapping[str, float]
    before: float
    days: tuple[float, ...]
    days_before: tuple[float, ...]
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def spend(self) -> float:
        """Spend over the period; NaN when nothing is known."""
        return self.values.get("spend", float("nan"))

    @property
    def change(self) -> float | None:
        """Relative change of spend; None when either is unknown or nothing was spent before."""
        return relative(self.spend, self.before)


@dataclass(frozen=True)
class OverviewFigures:
    """All clients over some days.

    Attributes:
        period: The days.
        before: The days compared with.
        lines: Client number → its lines, by currency.
        daily: Currency → day → spend of all clients, in the period.
        daily_before: The same in the days compared with.
        holders: Currency → how many clients have an account in it.
    """

    period: DateRange
    before: DateRange
    lines: Mapping[int, tuple[Line, ...]]
    daily: Mapping[str, Mapping[date, float]]
    daily_before: Mapping[str, Mapping[date, float]]
    holders: Mapping[str, int]

    def total(self, currency: str) -> float:
        """Spend of all clients in a currency."""
        return sum(self.daily.get(currency, {}).values())

    def total_before(self, currency: str) -> float:
        """The same in the days compared with."""
        return sum(self.daily_before.get(currency, {}).values())


@dataclass(frozen=True)
class InOne:
    """Everything in one currency.

    Attributes:
        currency: ISO code, or `own` when each stands for itself.
        choices: Currencies that could be asked for.
        total: Spend of all clients, or None.
        before: The same in the days compared with, or None when it cannot be converted.
        holders: Clients with an account in any currency.
        rates: Where the rates come from and how new they are, in words.
        problem: Why it could not be converted, or "".
    """

    currency: str = "own"
    choices: tuple[str, ...] = ()
    total: float | None = None
    before: float | None = None
    holders: int = 0
    rates: str = ""
    problem: str = ""


NONE = InOne()


@dataclass(frozen=True)
class Numbers:
    """What the overview draws below its cards, beside the clients' states."""

    figures: OverviewFigures
    in_one: InOne = field(default_factory=InOne)


def relative(new: float | None, old: float | None) -> float | None:
    """Relative change; None when either is unknown or the old is zero."""
    if new is None or old is None or new != new or old != old or old == 0:
        return None
    return new / old - 1
