"""Tests and intervals for rates of two arms, from totals per day.

The default takes the day as the unit. Clicks and impressions of one day share an auction, an
audience and the weather, so they are no independent trials; a test that takes them for such
rejects a true null in a quarter of tests under a daily wobble of 10 %. The days' own scatter sets
the width instead. At low counts, where a wobble drowns in counting noise, the exact conditional
test is used. The plain z-test is there to compare with other tools.

References:
    McCullagh and Nelder, "Generalized Linear Models", 1989, section 4.5 (dispersion).
    Koopman, "Confidence intervals for the ratio of two binomial proportions", 1984.
    Newcombe, "Interval estimation for the difference between independent proportions", 1998.
    Berry and Armitage, "Mid-P confidence intervals: a brief review", 1995.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from scipy import optimize, special, stats

from adlab.stats.aggregates import RateTotals
from adlab.stats.comparison import ArmComparison, Method, Verdict

__all__ = [
    "ArmComparison",
    "compare_rates",
    "dispersion",
    "newcombe_interval",
    "score_ratio_interval",
    "z_test",
]

# Reason: below this many events in an arm a log-normal interval misses its cover, and a wobble of
# the days adds less than a tenth to the counting noise.
LOW_COUNT = 30
# Reason: with fewer events altogether no split of them is surprising enough to act on.
FEWEST_EVENTS = 10
# Reason: the conditional test treats events as rare; for common ones there is the score test.
_RARE = 0.2

Better = Literal["up", "down", "neither"]


def compare_rates(
    a: RateTotals,
    b: RateTotals,
    *,
    method: Method | Literal["auto"] = "auto",
    confidence_level: float = 0.95,
    metric: str = "rate",
    labels: tuple[str, str] = ("A", "B"),
    better: Better = "up",
) -> ArmComparison:
    """Compare the rates of two arms.

    Args:
        a: Totals of the control.
        b: Totals of the treatment.
        method: `auto` takes `quasi`, and `mid-p` or `score` at low counts. Others by name.
        confidence_level: Of the interval; the verdict uses the same level.
        metric: Name of the rate, for the result.
        labels: Names of the arms, for the result.
        better: Which direction is good news.

    Returns:
        Rates, relative lift with interval, p-value, and a verdict. Too little data is a verdict,
        never an error.

    Raises:
        ValueError: If the method is unknown or the confidence level is not between 0 and 1.
    """
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level={confidence_level} is not between 0 and 1")
    if method not in ("auto", "quasi", "mid-p", "score", "z", "newcombe"):
        raise ValueError(f"method={method!r} is none of auto, quasi, mid-p, score, z, newcombe")
    bounded = not (a.exceeding_days or b.exceeding_days)
    phi, freedom = dispersion(a, b, bounded)
    chosen = _choose(a, b, phi, freedom, bounded) if method == "auto" else method
    alpha = 1 - confidence_level
    difference = None
    statistic, p, ratio = math.nan, math.nan, (0.0, math.inf)
    if a.denominator > 0 and b.denominator > 0 and a.numerator + b.numerator > 0:
        if chosen == "quasi":
            statistic, p, ratio = _quasi(a, b, phi, freedom, alpha, bounded)
        elif chosen == "mid-p":
            p, ratio = _mid_p(a, b, alpha)
        else:
            statistic, p = z_test(a, b)
            ratio = score_ratio_interval(a, b, alpha)
            if chosen == "newcombe":
                difference = newcombe_interval(a, b, alpha)
    lift = _lift(a, b)
    verdict, reason = _judge(a, b, chosen, p, lift, alpha, better)
    return ArmComparison(
        metric=metric,
        labels=labels,
        rates=(a.rate, b.rate),
        counts=((a.numerator, a.denominator), (b.numerator, b.denominator)),
        lift=lift,
        interval=(ratio[0] - 1, ratio[1] - 1),
        p_value=p,
        statistic=statistic,
        dispersion=phi,
        method=chosen,
        days=(a.days, b.days),
        verdict=verdict,
        reason=reason,
        caveats=tuple(_caveats(a, b, chosen, phi, bounded)),
        sample=(
            f"{a.numerator:,.10g} of {a.denominator:,.10g} on {a.days} days against "
            f"{b.numerator:,.10g} of {b.denominator:,.10g} on {b.days} days"
        ),
        confidence_level=confidence_level,
        difference_interval=difference,
    )


def dispersion(a: RateTotals, b: RateTotals, bounded: bool = True) -> tuple[float, int]:
    """How much more the days scatter than chance alone would have it.

    Returns:
        Pearson's chi-square of both arms, each around its own rate, over its degrees of freedom
        (days of both minus 2); and those degrees. NaN where nothing can scatter.
    """
    freedom = a.days + b.days - 2
    parts = [s for arm in (a, b) if not math.isnan(s := arm.scatter(bounded))]
    return (sum(parts) / freedom if freedom > 0 and parts else math.nan), freedom


def z_test(a: RateTotals, b: RateTotals) -> tuple[float, float]:
    """Pooled z of the totals and its two-sided p-value; B higher is positive."""
    pooled = (a.numerator + b.numerator) / (a.denominator + b.denominator)
    spread = pooled * (1 - pooled) * (1 / a.denominator + 1 / b.denominator)
    if not spread > 0:
        return math.nan, math.nan
    z = (b.rate - a.rate) / math.sqrt(spread)
    return z, float(2 * stats.norm.sf(abs(z)))


def score_ratio_interval(a: RateTotals, b: RateTotals, alpha: float = 0.05) -> tuple[float, float]:
    """Koopman's score interval of rate B over rate A, from the totals."""
    ya, na, yb, nb = a.numerator, a.denominator, b.numerator, b.denominator
    limit = float(stats.chi2.isf(alpha, 1))
    if ya > na or yb > nb or ya + yb <= 0:
        return math.nan, math.nan

    def excess(log_ratio: float) -> float:
        # The likeliest rates whose ratio is r solve a quadratic.
        r = math.exp(log_ratio)
        square, middle = (na + nb) * r, (nb + ya) * r + na + yb
        root = math.sqrt(max(middle * middle - 4 * square * (ya + yb), 0.0))
        pa = (middle - root) / (2 * square)
        pb = pa * r
        if not (0 < pa < 1 and 0 < pb < 1):
            return math.inf
        return _score(ya, na, pa) + _score(yb, nb, pb) - limit

    point = math.log((yb or 0.5) / nb) - math.log((ya or 0.5) / na)
    low = 0.0 if yb == 0 else math.exp(_root(excess, point, -1))
    high = math.inf if ya == 0 else math.exp(_root(excess, point, +1))
    return low, high


def _score(y: float, n: float, p: float) -> float:
    return (y - n * p) ** 2 / (n * p * (1 - p))


def _root(excess: Callable[[float], float], start: float, direction: int) -> float:
    """Where `excess` turns positive, walking from `start` in a direction."""
    near, step = start, 0.01
    while excess(far := near + direction * step) < 0:
        near, step = far, step * 2
        if abs(far - start) > 60:
            return far
    # Reason: beyond the last possible ratio the score is infinite, which a root finder cannot take.
    capped = lambda x: min(excess(x), 1e9)  # noqa: E731
    return float(optimize.brentq(capped, min(near, far), max(near, far), xtol=1e-12))


def newcombe_interval(a: RateTotals, b: RateTotals, alpha: float = 0.05) -> tuple[float, float]:
    """Newcombe's interval of the difference B minus A, from two Wilson intervals."""
    la, ua = _wilson(a.rate, a.denominator, alpha)
    lb, ub = _wilson(b.rate, b.denominator, alpha)
    d = b.rate - a.rate
    return (
        d - math.hypot(b.rate - lb, ua - a.rate),
        d + math.hypot(ub - b.rate, a.rate - la),
    )


def _wilson(p: float, n: float, alpha: float) -> tuple[float, float]:
    z = float(stats.norm.isf(alpha / 2))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(p * (1 - p) / n + z * z / (4 * n * n), 0.0))
    return middle - half, middle + half


def _quasi(
    a: RateTotals, b: RateTotals, phi: float, freedom: int, alpha: float, bounded: bool
) -> tuple[float, float, tuple[float, float]]:
    if a.numerator <= 0 or b.numerator <= 0 or math.isnan(phi) or freedom < 1:
        return math.nan, math.nan, (0.0, math.inf)
    # Reason: no floor at 1, which would cost power where days differ by chance alone; but days more
    # alike than chance allows are an artefact (copied or smoothed rows) and prove nothing.
    scatter = phi if stats.chi2.cdf(phi * freedom, freedom) > 0.001 else 1.0
    single = [(1 - arm.rate if bounded else 1.0) / arm.numerator for arm in (a, b)]
    error = math.sqrt(scatter * sum(single))
    effect = math.log(b.rate / a.rate)
    if error == 0:
        return math.nan, math.nan, (0.0, math.inf)
    width = float(stats.t.isf(alpha / 2, freedom)) * error
    t = effect / error
    p = float(2 * stats.t.sf(abs(t), freedom))
    return t, p, (math.exp(effect - width), math.exp(effect + width))


def _mid_p(a: RateTotals, b: RateTotals, alpha: float) -> tuple[float, tuple[float, float]]:
    """Given all events, how many fall to B is binomial; half the observed point counts."""
    # Reason: attribution yields fractions of purchases; the exact test counts whole ones.
    x, total = round(b.numerator), round(a.numerator) + round(b.numerator)
    share = b.denominator / (a.denominator + b.denominator)

    def upper(q: float) -> float:
        # More than x, or as many and half of it counted, which is the mean of the two tails.
        at_least = special.bdtrc(x - 1, total, q) if x > 0 else 1.0
        return float(special.bdtrc(x, total, q) + at_least) / 2

    tail = upper(share)
    p = min(1.0, 2 * min(tail, 1 - tail))
    low = 0.0 if x == 0 else _solve(lambda q: upper(q) - alpha / 2)
    high = 1.0 if x == total else _solve(lambda q: upper(q) - (1 - alpha / 2))
    scale = a.denominator / b.denominator
    return p, (low / (1 - low) * scale, math.inf if high == 1 else high / (1 - high) * scale)


def _solve(function: Callable[[float], float]) -> float:
    return float(optimize.brentq(function, 1e-15, 1 - 1e-15, xtol=1e-14))


def _choose(a: RateTotals, b: RateTotals, phi: float, freedom: int, bounded: bool) -> Method:
    fewest = min(
        min(arm.numerator, arm.denominator - arm.numerator if bounded else math.inf)
        for arm in (a, b)
    )
    if fewest < LOW_COUNT:
        # Reason: when even few events come in clumps, chance alone is the wrong yardstick.
        clumped = freedom > 0 and phi > 1 and stats.chi2.sf(phi * freedom, freedom) < 0.001
        if not (clumped and a.numerator > 0 and b.numerator > 0):
            return "mid-p" if max(a.rate, b.rate) < _RARE or not bounded else "score"
    return "quasi" if freedom >= 2 else "z"


def _lift(a: RateTotals, b: RateTotals) -> float:
    if not (a.denominator > 0 and b.denominator > 0):
        return math.nan
    if a.numerator > 0:
        return b.rate / a.rate - 1
    return math.inf if b.numerator > 0 else math.nan


def _judge(
    a: RateTotals,
    b: RateTotals,
    method: Method,
    p: float,
    lift: float,
    alpha: float,
    better: Better,
) -> tuple[Verdict, str]:
    for name, arm in (("A", a), ("B", b)):
        if arm.days == 0:
            return "not enough data", f"Arm {name} has no day with both counts known."
    events = a.numerator + b.numerator
    if events < FEWEST_EVENTS:
        return "not enough data", (
            f"{events:,.10g} events in both arms together; at least {FEWEST_EVENTS} are needed."
        )
    if a.days + b.days < 4 and method in ("quasi", "z"):
        return "not enough data", (
            "Fewer than two days an arm: how much days differ by themselves is unknown."
        )
    if math.isnan(p):
        return "not enough data", "The counts leave nothing to test."
    if p >= alpha:
        return "no difference shown", (
            f"A difference this large comes up by itself in {p:.0%} of such comparisons."
        )
    higher = lift > 0
    verdict: Verdict = "b better" if higher == (better != "down") else "a better"
    return verdict, (
        f"B's rate is {'higher' if higher else 'lower'} by {_shown(abs(lift))}; "
        f"by chance in {'less than 0.1' if p < 0.001 else f'{p * 100:.1f}'} % of comparisons."
    )


def _shown(lift: float) -> str:
    return "an unknown factor" if math.isinf(lift) else f"{lift:.1%}"


def _caveats(a: RateTotals, b: RateTotals, method: Method, phi: float, bounded: bool) -> list[str]:
    out = []
    if a.left_out or b.left_out:
        out.append(
            f"Days left out because a number is missing or nothing was delivered: "
            f"{a.left_out} of A, {b.left_out} of B."
        )
    if method in ("z", "newcombe", "score") and phi > 2:
        out.append(
            f"The days scatter {phi:,.3g} times as much as this method assumes; "
            "its interval is far too narrow. Use the default method."
        )
    if method == "quasi" and a.days + b.days < 14:
        out.append(f"The scatter is estimated from {a.days + b.days} days; the interval is wide.")
    if not bounded:
        out.append(
            "On some days more was counted than it was counted over, so the rate is no share of "
            "it; Poisson variance was used."
        )
    return out
