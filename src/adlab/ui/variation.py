"""Is a change larger than this client's own day-to-day wobble?

Ad delivery wobbles more than pure chance would: so the spread is measured on the days themselves
(a quasi-likelihood band), around each weekday's own level, and never assumed. Changes inside the
band stay grey on boards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from adlab.core.metrics import MetricDef

Verdict = Literal["usual", "better", "worse", "more", "less", "unknown"]

MIN_DAYS = 4
MIN_EVENTS = 20


@dataclass(frozen=True)
class Change:
    """A change between two periods.

    Attributes:
        relative: New over old, minus one; None when it cannot be said.
        band: Half-width of usual variation, relative; None when too few days tell.
        verdict: `usual` inside the band; else how it is to be read.
    """

    relative: float | None
    band: float | None
    verdict: Verdict


def judge(metric: MetricDef, now: pd.DataFrame, before: pd.DataFrame | None) -> Change:
    """Compare two periods of daily components of a metric: totals, or ratios of sums.

    Args:
        metric: Which.
        now: Components per day (`m_…` or `n_…` and `d_…`), indexed by date.
        before: The same for the days to compare with.

    Returns:
        The change and whether it leaves the band of about 95 % of usual days.
    """
    if before is None or now.empty or before.empty:
        return Change(None, None, "unknown")
    above, below = _columns(metric, now)
    old_above, old_below = _columns(metric, before)
    old, new = _rate(old_above, old_below), _rate(above, below)
    if not (old > 0 and new == new):
        return Change(None, None, "unknown")
    relative = new / old - 1
    if len(now) < MIN_DAYS or len(before) < MIN_DAYS or new <= 0:
        return Change(relative, None, "unknown")
    if metric.unit in ("count", "share") and float(np.nansum(above)) < MIN_EVENTS:
        return Change(relative, None, "unknown")
    error = math.hypot(
        _error(metric, now.index, above, below), _error(metric, before.index, old_above, old_below)
    )
    # Reason: few days know their own spread badly; Student's quantile, by a short formula.
    free = len(now) + len(before) - 2
    band = math.exp((1.96 + 2.4 / free) * error) - 1
    if abs(math.log(new / old)) <= math.log1p(band):
        return Change(relative, band, "usual")
    return Change(relative, band, _reading(metric, relative))


def _reading(metric: MetricDef, relative: float) -> Verdict:
    if metric.better == "neither":
        return "more" if relative > 0 else "less"
    return "better" if (relative > 0) == (metric.better == "up") else "worse"


def _columns(metric: MetricDef, parts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
    if metric.kind == "ratio":
        return (
            parts[f"n_{metric.name}"].to_numpy(dtype=float),
            parts[f"d_{metric.name}"].to_numpy(dtype=float),
        )
    return parts[f"m_{metric.name}"].to_numpy(dtype=float), None


def _rate(above: np.ndarray, below: np.ndarray | None) -> float:
    total = float(np.nansum(above))
    if below is None:
        return total
    under = float(np.nansum(below))
    return total / under if under else float("nan")


def _error(metric: MetricDef, days: pd.Index, above: np.ndarray, below: np.ndarray | None) -> float:
    """Standard error of the logarithm of a period's rate."""
    weekdays = np.array([d.weekday() for d in days])
    base = np.ones_like(above) if below is None else below
    known = ~(np.isnan(above) | np.isnan(base))
    above, base, weekdays = above[known], base[known], weekdays[known]
    n = len(above)
    rate = float(above.sum() / base.sum()) if n and base.sum() else float("nan")
    if n < 2 or not rate > 0:
        return math.inf
    expected = rate * base
    fitted = 1
    if n >= 21:
        # Reason: a weekday's own level is no wobble; it repeats in both periods.
        for weekday in range(7):
            mine = weekdays == weekday
            if mine.sum() >= 3 and base[mine].sum():
                expected[mine] = base[mine] * above[mine].sum() / base[mine].sum()
                fitted += 1
        fitted = min(fitted, 7)
    spread = float(((above - expected) ** 2).sum()) * n / max(1, n - fitted)
    return math.sqrt(spread) / (rate * float(base.sum()))
