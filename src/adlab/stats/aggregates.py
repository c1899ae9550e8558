"""Additive totals of a rate per day: enough for tests and intervals, and mergeable.

Meta reports totals per day, never people. What a rate test needs of an arm is therefore the number
of days, the two sums, and how much the days scatter around the arm's own rate. All four add up
over days, objects and pages, so SQL may make them and days may be merged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class RateTotals:
    """Totals of one arm.

    Attributes:
        days: Days with a known numerator and a positive denominator.
        numerator: Sum of what was counted (purchases); may be a fraction.
        denominator: Sum of what it was counted over (link clicks).
        weighted_squares: Sum over days of numerator² / denominator.
        exceeding_days: Days on which the numerator is larger than the denominator.
        left_out: Days left out because a number was missing or the denominator was zero.
    """

    days: int
    numerator: float
    denominator: float
    weighted_squares: float
    exceeding_days: int = 0
    left_out: int = 0

    def __add__(self, other: RateTotals) -> RateTotals:
        return RateTotals(
            self.days + other.days,
            self.numerator + other.numerator,
            self.denominator + other.denominator,
            self.weighted_squares + other.weighted_squares,
            self.exceeding_days + other.exceeding_days,
            self.left_out + other.left_out,
        )

    @property
    def rate(self) -> float:
        """Sum over sum; NaN without a denominator."""
        return self.numerator / self.denominator if self.denominator > 0 else float("nan")

    def scatter(self, bounded: bool = True) -> float:
        """Pearson's chi-square of the days around the arm's own rate.

        Args:
            bounded: Whether each unit of the denominator yields at most one of the numerator
                (binomial variance); Poisson variance otherwise.

        Returns:
            About `days - 1` when days differ by chance alone; NaN when the rate is 0 or, for the
            binomial, 1, because there is nothing to scatter then.
        """
        p = self.rate
        variance = p * (1 - p) if bounded else p
        if not variance > 0:
            return float("nan")
        around = self.weighted_squares - self.numerator**2 / self.denominator
        return max(around, 0.0) / variance


def rate_totals(numerator: ArrayLike, denominator: ArrayLike) -> RateTotals:
    """Totals of daily counts.

    Args:
        numerator: Counts per day; NaN where unknown.
        denominator: Counts per day, same length; NaN where unknown.

    Raises:
        ValueError: If the lengths differ, or a count is negative or infinite.
    """
    above = np.asarray(numerator, dtype=float)
    below = np.asarray(denominator, dtype=float)
    if above.shape != below.shape or above.ndim != 1:
        raise ValueError("numerator and denominator need one number per day each")
    if (above < 0).any() or (below < 0).any() or np.isinf(above).any() or np.isinf(below).any():
        raise ValueError("counts are neither negative nor infinite")
    used = ~np.isnan(above) & ~np.isnan(below) & (below > 0)
    y, n = above[used], below[used]
    return RateTotals(
        days=len(y),
        numerator=float(y.sum()),
        denominator=float(n.sum()),
        weighted_squares=float((y * y / n).sum()),
        exceeding_days=int((y > n).sum()),
        left_out=int((~used).sum()),
    )
