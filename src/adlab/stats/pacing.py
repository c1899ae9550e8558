"""Spend to date against a plan. Plain arithmetic on one budget; nothing is read or converted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from adlab.core.periods import DateRange

AMBER, RED = 0.10, 0.20

Status = Literal["not started", "no spend yet", "on pace", "over", "under"]
Alert = Literal["", "amber", "red"]


@dataclass(frozen=True)
class Pacing:
    """Where a budget stands.

    Attributes:
        budget: For the whole period, major units.
        spend: Of its complete days.
        utilisation: Spend per budget; NaN when the budget is zero.
        expected_share: Complete days per day of the period: what an even spend would have used.
        pacing_index: Utilisation per expected share; 1 is on pace, NaN before the first day ends.
        required_daily: What each day left may cost, the current one included; NaN when none is.
        days_left: Days that are not complete, the current one included.
        status: How it goes, in words.
        alert: `amber` from 10 % off, `red` from 20 %, else "".
    """

    budget: float
    spend: float
    utilisation: float
    expected_share: float
    pacing_index: float
    required_daily: float
    days_left: int
    status: Status
    alert: Alert


def evaluate_pacing(budget: float, spend: float, period: DateRange, today: date) -> Pacing:
    """Compare spend with an even spend over the period.

    Args:
        budget: For the whole period, both ends included; major units.
        spend: Of the complete days inside the period, in the same currency.
        period: Days of the budget, in the account's calendar.
        today: The account's current day, which is never complete.

    Returns:
        Shares, index, what is needed a day, and a verdict.
    """
    complete = period.clamp(period.since, today - timedelta(days=1))
    done = complete.days if complete else 0
    left = period.days - done
    used = spend / budget if budget else float("nan")
    expected = done / period.days
    index = used / expected if expected else float("nan")
    required = max(budget - spend, 0.0) / left if left else float("nan")
    status, alert = _verdict(budget, spend, index, left, today < period.since)
    return Pacing(budget, spend, used, expected, index, required, left, status, alert)


def _verdict(
    budget: float, spend: float, index: float, left: int, early: bool
) -> tuple[Status, Alert]:  # fmt: skip
    if early:
        return "not started", ""
    if not spend and left:
        return "no spend yet", ""
    if not budget:
        return ("over", "red") if spend else ("on pace", "")
    # Reason: 1.1 made of tenths is 1.1000000000000001, and ten percent is still on pace.
    off = round(index - 1, 9)
    if not abs(off) > AMBER:
        return "on pace", ""
    return "over" if off > 0 else "under", "red" if abs(off) > RED else "amber"
