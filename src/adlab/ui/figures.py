"""The numbers a board draws, as values: totals and days of one currency, and its campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import pandas as pd

from adlab.core.metrics import METRICS, MetricDef
from adlab.core.periods import DateRange, Epoch

_SUM_OF = {m.column: m for m in METRICS.values() if m.kind == "sum"}


@dataclass(frozen=True)
class Span:
    """Numbers of one currency over some days.

    Attributes:
        period: The days.
        totals: Metric → value over all days; ratios are sums over sums.
        days: Metric values per day, indexed by date; days without delivery are absent.
        parts: What the metrics were made of per day (`m_…`, `n_…`, `d_…`), same index.
        buckets: Metric values per drawn step (a day, or a week in long ranges), by first day.
    """

    period: DateRange
    totals: Mapping[str, float]
    days: pd.DataFrame
    parts: pd.DataFrame
    buckets: pd.DataFrame


@dataclass(frozen=True)
class Figures:
    """One currency of a client.

    Attributes:
        currency: ISO code.
        now: The chosen days.
        before: The days to compare with, or None.
        today: Metric values of today so far, when it lies outside `now`.
        step: Days in a drawn step.
        goals: Metric → what it should reach.
        epochs: Definition changes known.
    """

    currency: str
    now: Span
    before: Span | None = None
    today: Mapping[str, float] = field(default_factory=dict)
    step: int = 1
    goals: Mapping[str, float] = field(default_factory=dict)
    epochs: tuple[Epoch, ...] = ()

    def change(self, metric: str) -> float | None:
        """Relative change against the days before; None when either is unknown or was zero."""
        if self.before is None:
            return None
        new, old = self.now.totals.get(metric), self.before.totals.get(metric)
        if new is None or old is None or new != new or old != old or old == 0:
            return None
        return new / old - 1


@dataclass(frozen=True)
class Freshness:
    """How far the numbers can be trusted.

    Attributes:
        checked_at: Last look at Meta that succeeded for every account (aware UTC).
        changed_at: Last time anything differed.
        settled_through: The newest day Meta no longer restates.
        failures: Account name → why it could not be read.
        loading: Whether the history is still being read for the first time.
        accounts: How many accounts there are.
        last_day: Newest day with delivery.
        since: First day from which every account is loaded; None when unknown.
        connection: `ok`, or what is wrong with the connection to Meta.
        trouble: Why, and who must do what, in words; "" when nothing is wrong.
        imported: Whether every account came from a file, so that nothing is ever checked.
        epochs: Definition changes known.
    """

    checked_at: datetime | None
    changed_at: datetime | None
    settled_through: date
    failures: Mapping[str, str]
    loading: bool
    accounts: int
    last_day: date | None
    connection: str = "ok"
    imported: bool = False
    since: date | None = None
    epochs: tuple[Epoch, ...] = ()
    trouble: str = ""

    def reaches(self, period: DateRange | None) -> bool:
        """Whether the history is loaded from the first of these days on."""
        return period is None or self.since is None or self.since <= period.since


@dataclass(frozen=True)
class Campaigns:
    """Campaigns of a client over the chosen days.

    Attributes:
        rows: Indexed by the store's number: name, status, currency, then metric values.
        totals: Currency → metric → value over all rows.
        parts: Components per campaign, same index, so that any subset adds up correctly.
    """

    rows: pd.DataFrame
    parts: pd.DataFrame
    totals: Mapping[str, Mapping[str, float]]


def value(metric: MetricDef, parts: Mapping[str, float]) -> float:
    """A metric from its component sums; NaN when unknown or over nothing."""
    if metric.kind != "ratio":
        return float(parts.get(f"m_{metric.name}", float("nan")))
    above = float(parts.get(f"n_{metric.name}", float("nan")))
    below = float(parts.get(f"d_{metric.name}", float("nan")))
    return above / below * metric.scale if below else float("nan")


def coverage(metric: MetricDef, parts: pd.DataFrame) -> tuple[float, str]:
    """How much of a ratio's base it speaks for, and what that base is.

    A ratio counts only rows in which both its sides are known; where one side is often missing, it
    speaks for a part of the spend.

    Returns:
        Share from 0 to 1 and the base's label; (1.0, "") for other metrics and when unknown.
    """
    worst = (1.0, "")
    for side, column in (("n", metric.numerator), ("d", metric.denominator)):
        base = _SUM_OF.get(column)
        if metric.kind != "ratio" or base is None or f"m_{base.name}" not in parts:
            continue
        whole = float(parts[f"m_{base.name}"].sum())
        share = float(parts[f"{side}_{metric.name}"].sum()) / whole if whole else 1.0
        worst = min(worst, (share, base.label.lower()))
    return worst


def epochs_in(epochs: tuple[Epoch, ...], period: DateRange) -> tuple[Epoch, ...]:
    """Definition changes that lie inside a period, its first day left out."""
    return tuple(e for e in epochs if period.since < e.starts_on <= period.until)
