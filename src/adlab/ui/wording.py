"""Sentences made of numbers: the headline, the chart's title, the words of a change."""

from __future__ import annotations

import math
from datetime import date

from adlab.core.metrics import METRICS, MetricDef
from adlab.core.periods import DateRange
from adlab.ui.address import Address
from adlab.ui.figures import Figures, coverage
from adlab.ui.formats import day, is_known, percent, show, weekday
from adlab.ui.variation import Change, judge

# What a ratio is made of, so that its change can be laid at one part's door: sign, parts.
_DRIVERS: dict[str, tuple[tuple[str, str, float], ...]] = {
    "roas": (("CTR", "link_ctr", 1), ("CVR", "cvr", 1), ("order value", "aov", 1),
             ("CPM", "cpm", -1)),
    "cpa": (("CPM", "cpm", 1), ("CTR", "link_ctr", -1), ("CVR", "cvr", -1)),
}  # fmt: skip


# A ratio known for less of the spend than this is no headline.
ENOUGH_COVERED = 0.8


def period_words(address: Address, period: DateRange) -> str:
    """The chosen days in words: `the last 30 days`, `this month so far`."""
    if address.range.removesuffix("d").isdigit():
        return f"the last {period.days} days" if period.days > 1 else "the last day"
    named = {"mtd": "this month so far", "last_month": "last month", "13m": "the last 13 months"}
    if address.range in named:
        return named[address.range]
    return f"these {period.days} days" if period.days > 1 else "this day"


def in_days(during: str) -> str:
    """Days in words as a sentence needs them: `in the last 30 days`, but `last month`."""
    if during.startswith(("this month", "last month")):
        return during
    return f"on {during}" if during == "this day" else f"in {during}"


def before_words(address: Address, period: DateRange) -> str:
    """The days compared with, in words: `the 30 before`, `the same days last year`."""
    if address.compare == "year":
        return "the same days last year"
    if address.range == "mtd":
        return "the same days last month"
    named = {"last_month": "the month before", "13m": "the 13 months before"}
    if address.range in named:
        return named[address.range]
    return f"the {period.days} before" if period.days > 1 else "the day before"


def before_label(address: Address, period: DateRange) -> str:
    """The same as a label, for legends: `30 days before`."""
    if address.compare == "previous" and address.range not in ("mtd", "last_month", "13m"):
        return f"{period.days} days before" if period.days > 1 else "day before"
    return before_words(address, period).removeprefix("the ")


def headline(figures: Figures, address: Address) -> str:
    """One sentence with the finding; what is bad comes first."""
    period = figures.now.period
    return finding(figures, period_words(address, period), before_words(address, period))


def finding(figures: Figures, during: str, before: str) -> str:
    """The same for days and comparison in words of the caller's: `October 2026`, `September`."""
    spent = figures.now.totals.get("spend")
    if not is_known(spent) or not spent:
        return f"Nothing was spent {in_days(during)}."
    amount = show(METRICS["spend"], spent, figures.currency, tile=True)
    base = f"pent {amount} {in_days(during)}"
    change = figures.change("spend")
    if change is not None:
        base += (
            f", as much as {before}" if abs(change) < 0.005
            else f", {_factor(change)} than {before}" if change < 2
            else f", {1 + change:.1f} times {before}"
        )  # fmt: skip
    result = _result(figures)
    if result is None:
        return f"S{base}."
    metric, judged = result
    new = show(metric, figures.now.totals[metric.name], figures.currency, tile=True)
    old = figures.before.totals.get(metric.name) if figures.before else None
    was = f" ({show(metric, old, figures.currency, tile=True)} before)" if is_known(old) else ""
    if judged.verdict == "worse" and judged.relative is not None:
        verb = "fell" if judged.relative < 0 else "rose"
        because = _blame(figures, metric)
        return f"{metric.label} {verb} {percent(judged.relative)} to {new}{because}; s{base}."
    label = metric.label if metric.label[:2].isupper() else metric.label.lower()
    return f"S{base}; {label} {new}{was}."


def _factor(change: float) -> str:
    return f"{percent(change)} {'more' if change > 0 else 'less'}"


def _result(figures: Figures) -> tuple[MetricDef, Change] | None:
    """The metric that says most about results: ROAS, else cost per purchase, else CTR."""
    for name in ("roas", "cpa", "link_ctr"):
        value = figures.now.totals.get(name)
        share, _ = coverage(METRICS[name], figures.now.parts)
        if is_known(value) and value and share > ENOUGH_COVERED:
            before = figures.before.parts if figures.before else None
            return METRICS[name], judge(METRICS[name], figures.now.parts, before)
    return None


def chart_title(metric: MetricDef, figures: Figures, address: Address, judged: Change) -> str:
    """The finding of the chart in one sentence."""
    label = metric.label
    steps = figures.now.buckets.get(metric.name)
    if steps is None or steps.dropna().empty:
        return f"{label}: nothing known for these days"
    if judged.relative is not None and figures.before is not None:
        before = before_words(address, figures.now.period)
        if judged.verdict == "usual":
            return f"{label} is where it usually is: {_signed(judged.relative)} against {before}"
        verb = "rose" if judged.relative > 0 else "fell"
        blame = _blame(figures, metric)
        return f"{label} {verb} {percent(judged.relative)} against {before}{blame}"
    known, lowest = steps.dropna(), metric.better == "down"
    place = int(known.argmin() if lowest else known.argmax())
    best: date = known.index[place]
    week = f"in the week from {day(best, year=True)}"
    when = f"on {weekday(best)}" if figures.step == 1 else week
    value = show(metric, float(known.iloc[place]), figures.currency)
    return f"{label} was {'lowest' if lowest else 'highest'} {when}: {value}"


def _signed(change: float) -> str:
    return f"{'+' if change >= 0 else '−'}{percent(change)}"


def _blame(figures: Figures, metric: MetricDef) -> str:
    """`, mostly CPM` when one part explains more than half of a ratio's change."""
    drivers = _DRIVERS.get(metric.name)
    total = figures.change(metric.name)
    if drivers is None or total is None or total <= -1:
        return ""
    shares = []
    for word, name, sign in drivers:
        change = figures.change(name)
        if change is None or change <= -1:
            return ""
        shares.append((sign * math.log1p(change) / math.log1p(total) if total else 0.0, word))
    top, word = max(shares)
    return f", mostly {word}" if top > 0.5 else ""


def change_words(change: Change) -> tuple[str, str, str]:
    """Arrow, text and explanation of a change, for tiles."""
    if change.relative is None:
        return "", "no comparison", "Nothing known in the days to compare with."
    arrow = "▲" if change.relative > 0.0005 else "▼" if change.relative < -0.0005 else "■"
    text = percent(change.relative)
    if change.band is None:
        return arrow, text, "Too little data to say whether this is usual variation."
    why = (
        f"Inside usual day-to-day variation (about ±{percent(change.band)})."
        if change.verdict == "usual"
        else f"Outside usual day-to-day variation (about ±{percent(change.band)})."
    )
    words = {"more": f"{text} more", "less": f"{text} less"}
    return arrow, words.get(change.verdict, f"{text} · {change.verdict}"), why
