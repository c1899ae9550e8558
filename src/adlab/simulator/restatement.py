"""What is known of a day at a moment: a growing today, and conversions that arrive late.

Delivery is complete at local midnight. Conversions of day D keep arriving until the beginning of
day D+28 and never change after that; the one-day windows fill first, then 7 days, then 28.
"""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from adlab.simulator.delivery import CHUNK_DAYS, CLASSES, EVENTS, FLOWS, Block
from adlab.simulator.hashing import Counts, Floats
from adlab.simulator.periods import day_start, hours_of_day

SETTLED_DAYS = 28
_HOURS = (
    1.8,
    1.3,
    1.0,
    0.8,
    0.8,
    1.2,
    2.2,
    3.4,
    4.0,
    4.4,
    4.6,
    4.8,
    5.2,
    5.2,
    5.0,
    5.0,
    5.2,
    5.6,
    6.2,
    6.8,
    7.2,
    7.0,
    5.4,
    3.9,
)
_ARRIVAL: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "c1": ((0, 0.25, 0.5, 0.75, 1, 1.5, 2, 7, 28), (0, 0.08, 0.24, 0.44, 0.68, 0.9, 0.96, 0.98, 1)),
    "c7": ((0, 1, 2, 3, 5, 8, 28), (0, 0.03, 0.3, 0.52, 0.8, 0.96, 1)),
    "c28": ((0, 1, 7, 10, 14, 21, 28), (0, 0, 0.03, 0.2, 0.5, 0.82, 1)),
    "v1": ((0, 0.25, 0.5, 0.75, 1, 1.5, 2, 7, 28), (0, 0.07, 0.22, 0.4, 0.63, 0.87, 0.95, 0.98, 1)),
    "ev": ((0, 0.5, 1, 2, 28), (0, 0.25, 0.66, 0.96, 1)),
}
"""Share of a class known after so many days, counted from the day's own midnight."""


@lru_cache(maxsize=8192)
def hour_shares(zone: ZoneInfo, day: int) -> tuple[float, ...]:
    """Give each real hour's share of a day's delivery (23 to 25 entries, sum 1)."""
    weights = [_HOURS[hour] for hour in hours_of_day(zone, day)]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def delivered_share(zone: ZoneInfo, day: int, moment: float) -> float:
    """Give how much of a day's delivery has happened at a Unix time, 0 to 1."""
    elapsed = (moment - day_start(zone, day)) / 3600
    shares = hour_shares(zone, day)
    if elapsed <= 0:
        return 0.0
    if elapsed >= len(shares):
        return 1.0
    whole = int(elapsed)
    return min(sum(shares[:whole]) + (elapsed - whole) * shares[whole], 1.0)


def arrived_share(zone: ZoneInfo, day: int, moment: float, name: str) -> float:
    """Give how many conversions of a class are known at a Unix time, 0 to 1."""
    age = (moment - day_start(zone, day)) / 86_400
    if age <= 0:
        return 0.0
    if moment >= day_start(zone, day + SETTLED_DAYS):
        return 1.0
    times, shares = _ARRIVAL[name]
    return min(float(np.interp(age, times, shares)), 1.0)


def as_of(
    block: Block, low: int, high: int, wanted: frozenset[str], zone: ZoneInfo, moment: float
) -> dict[str, Counts]:
    """Give columns of a run of cells as they were known at a Unix time.

    Args:
        block: Final numbers.
        low: First cell.
        high: Cell after the last.
        wanted: Column names.
        zone: The account's timezone.
        moment: Unix time of the newest refresh.

    Returns:
        Columns by name; every number grows with the moment and never exceeds its final value.
    """
    day = block.day[low:high]
    columns = {name: block.columns[name][low:high] for name in wanted}
    if len(day) == 0 or moment >= day_start(zone, int(day[-1]) + SETTLED_DAYS):
        return columns
    first = int(day[0])
    days = range(first, min(int(day[-1]), first + CHUNK_DAYS) + 1)
    at = day - first
    begun: Counts | None = None
    if moment < day_start(zone, int(day[-1]) + 1):
        share = np.array([delivered_share(zone, d, moment) for d in days])[at]
        offset = block.flow_offset[low:high]
        begun = np.minimum(_known(block.columns["impressions"][low:high], share, offset), 1)
        for name in wanted.intersection(FLOWS):
            columns[name] = _known(columns[name], share, offset) * begun
    offset = block.conversion_offset[low:high]
    for suffix in CLASSES:
        names = [f"{event}_{suffix}" for event in EVENTS if f"{event}_{suffix}" in wanted]
        revenue = f"revenue_{suffix}" in wanted
        if not names and not revenue:
            continue
        share = np.array([arrived_share(zone, d, moment, suffix) for d in days])[at]
        if revenue:
            final = block.columns[f"purchase_{suffix}"][low:high]
            known = _known(final, share, offset).astype(np.int64)
            whole = block.columns[f"revenue_{suffix}"][low:high].astype(np.int64)
            columns[f"revenue_{suffix}"] = (whole * known // np.maximum(final, 1)).astype(np.int32)
        for name in names:
            columns[name] = _known(columns[name], share, offset)
    if begun is not None:
        # Reason: a row exists from its first impression on; nothing may be counted outside a row.
        for name in wanted.difference(FLOWS):
            columns[name] = columns[name] * begun
    return columns


def _known(final: Counts, share: Floats, offset: Floats) -> Counts:
    """Round so that counts grow one by one, each at its own moment, and end at the final value."""
    return np.floor(final * share + offset).astype(np.int32)
