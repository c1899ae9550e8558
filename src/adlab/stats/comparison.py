"""The result of comparing two arms: estimate, interval, sample, verdict and caveats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["b better", "a better", "no difference shown", "not enough data"]
Method = Literal["quasi", "mid-p", "score", "z", "newcombe"]

_METHODS = {
    "quasi": "quasi-binomial over days: the scatter of the days sets the width",
    "mid-p": "exact conditional test (mid-p), for low counts",
    "score": "score test and score interval, for low counts of common events",
    "z": "z-test on totals: takes every click as independent, which ads are not",
    "newcombe": "z-test on totals, interval from Newcombe's difference of proportions",
}


@dataclass(frozen=True)
class ArmComparison:
    """Two arms compared by a rate.

    Attributes:
        metric: Name of the rate.
        labels: Names of arm A (control) and arm B (treatment).
        rates: Rate of A and of B, as shares.
        counts: Numerator and denominator of A, then of B.
        lift: Relative difference, B over A minus 1; infinite when A counted nothing, NaN when
            neither did.
        interval: Both bounds of the lift.
        difference_interval: Both bounds of B minus A in shares, for `newcombe`; else None.
        p_value: Two-sided; NaN when nothing can be tested.
        statistic: Value of the test statistic, positive when B is higher; NaN for `mid-p`.
        dispersion: Scatter of the days, 1 when they differ by chance alone; NaN when unknown.
        method: Which method produced interval and p-value.
        days: Days used of A and of B.
        verdict: The answer in a few words.
        reason: Why this verdict.
        caveats: What to know before relying on it.
        sample: What it rests on, in words.
        confidence_level: Of the interval.
    """

    metric: str
    labels: tuple[str, str]
    rates: tuple[float, float]
    counts: tuple[tuple[float, float], tuple[float, float]]
    lift: float
    interval: tuple[float, float]
    p_value: float
    statistic: float
    dispersion: float
    method: Method
    days: tuple[int, int]
    verdict: Verdict
    reason: str
    caveats: tuple[str, ...]
    sample: str
    confidence_level: float
    difference_interval: tuple[float, float] | None = None

    @property
    def ratio(self) -> float:
        """Rate of B over rate of A."""
        return self.lift + 1

    @property
    def ratio_interval(self) -> tuple[float, float]:
        """Both bounds of the ratio."""
        return self.interval[0] + 1, self.interval[1] + 1

    def with_caveats(self, *more: str) -> ArmComparison:
        """The same result with further caveats, without repeats."""
        return replace(self, caveats=tuple(dict.fromkeys((*self.caveats, *more))))

    def to_frame(self) -> pd.DataFrame:
        """One row an arm: numerator, denominator, days, rate; B's row also holds the comparison."""
        import pandas as pd

        nan = float("nan")
        return pd.DataFrame(
            {
                "arm": list(self.labels),
                "numerator": [c[0] for c in self.counts],
                "denominator": [c[1] for c in self.counts],
                "days": list(self.days),
                "rate": list(self.rates),
                "lift": [nan, self.lift],
                "lift_lo": [nan, self.interval[0]],
                "lift_hi": [nan, self.interval[1]],
                "p_value": [nan, self.p_value],
            },
            index=pd.Index(["a", "b"], name="side"),
        )

    def __str__(self) -> str:
        (a, b), (lo, hi) = self.rates, self.interval
        return (
            f"{self.metric}: {self.verdict}. A {self.labels[0]} {_percent(a)}, "
            f"B {self.labels[1]} {_percent(b)}, lift {_signed(self.lift)} "
            f"({self.confidence_level:.0%} interval {_signed(lo)} to {_signed(hi)}), "
            f"p = {_p(self.p_value)}. {self.reason}"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left'>{side} {escape(label)}</th>"
            f"<td>{above:,.10g}</td><td>{below:,.10g}</td><td>{days}</td><td>{_percent(rate)}</td></tr>"
            for side, label, (above, below), days, rate in zip(
                "AB", self.labels, self.counts, self.days, self.rates, strict=True
            )
        )
        lo, hi = self.interval
        caveats = "".join(f"<li>{escape(c)}</li>" for c in self.caveats)
        return (
            f"<div><p><strong>{escape(self.metric)}: {self.verdict}.</strong> "
            f"{escape(self.reason)}</p>"
            "<table><thead><tr><th scope='col'>Arm</th><th scope='col'>Counted</th>"
            "<th scope='col'>Out of</th><th scope='col'>Days</th><th scope='col'>Rate</th></tr>"
            f"</thead><tbody>{rows}</tbody></table>"
            f"<p>Lift {_signed(self.lift)}, {self.confidence_level:.0%} interval {_signed(lo)} to "
            f"{_signed(hi)}, p = {_p(self.p_value)}; {escape(_METHODS[self.method])}.</p>"
            + (f"<ul>{caveats}</ul>" if caveats else "")
            + "</div>"
        )


def _percent(share: float) -> str:
    return "–" if share != share else f"{share:.3%}"


def _signed(share: float) -> str:
    if share != share:
        return "–"
    return "∞" if share == float("inf") else f"{share:+.1%}"


def _p(value: float) -> str:
    return "–" if value != value else f"{value:.3g}"
