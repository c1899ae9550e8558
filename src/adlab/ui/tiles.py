"""KPI tiles: value, change, sparkline, definition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adlab.core.metrics import METRICS, MetricDef
from adlab.ui.address import METRICS as SHOWN
from adlab.ui.address import Address
from adlab.ui.figures import Figures, coverage
from adlab.ui.formats import MISSING, is_known, percent, show, span
from adlab.ui.variation import Verdict, judge
from adlab.ui.wording import change_words

WIDTH, HEIGHT = 120, 32
GOAL_DAYS = 7
# Above this a ratio speaks for the whole.
WHOLE = 0.95


@dataclass(frozen=True)
class Sparkline:
    """A line without axes: SVG paths in a box of 120 × 32, stretched to the tile's width."""

    line: str
    area: str
    partial: str


@dataclass(frozen=True)
class Tile:
    """One KPI, ready to draw.

    Attributes:
        name: Metric.
        label: Its title.
        value: What stands large.
        arrow: Direction of the change, or "".
        change: The change in words.
        verdict: Chooses the colour; `usual` and `unknown` stay grey.
        why: What the colour rests on.
        was: The value before, or what part of the spend the value speaks for.
        definition: Formula, caveat and days.
        spark: The days as a line, or None.
        link: Address that shows this metric in the chart.
        selected: Whether the chart shows it.
        goal: What it should reach and whether it does, or "".
    """

    name: str
    label: str
    value: str
    arrow: str
    change: str
    verdict: Verdict
    why: str
    was: str
    definition: str
    spark: Sparkline | None
    link: str
    selected: bool
    goal: str = ""


def make_tiles(figures: Figures, address: Address) -> list[Tile]:
    """The tiles of one currency, in the usual order."""
    return [_tile(METRICS[name], figures, address) for name in SHOWN]


def _tile(metric: MetricDef, figures: Figures, address: Address) -> Tile:
    now, before = figures.now, figures.before
    change = judge(metric, now.parts, before.parts if before else None)
    value = now.totals.get(metric.name)
    old = before.totals.get(metric.name) if before else None
    if address.compare == "none" or not is_known(value):
        arrow, words, why, verdict = "", "", "", "unknown"
    else:
        arrow, words, why = change_words(change)
        verdict = change.verdict
    was = ""
    if before is not None and is_known(old):
        was = f"was {show(metric, old, figures.currency, tile=True)}"
        why = f"{why} {show(metric, old, figures.currency)} on {span(before.period)}.".strip()
    share, base = coverage(metric, now.parts)
    if share < WHOLE:
        was = f"covers {percent(share)} of {base}"
        why = f"{why} Known for a part only: {was}.".strip()
    return Tile(
        name=metric.name, label=metric.label,
        value=show(metric, value, figures.currency, tile=True) if is_known(value) else MISSING,
        arrow=arrow, change=words, verdict=verdict, why=why, was=was,  # type: ignore[arg-type]
        definition=define(metric, figures), spark=sparkline(metric, figures),
        link=address.link(metric=metric.name), selected=address.metric == metric.name,
        goal="" if address.campaigns else goal_words(metric, figures),
    )  # fmt: skip


def goal_words(metric: MetricDef, figures: Figures) -> str:
    """`goal 3.00, met`; "" where there is none, or nothing that could be held against it.

    Only ratios of a week or more: a sum grows with the days, and a ratio of two days is chance.
    """
    target, value = figures.goals.get(metric.name), figures.now.totals.get(metric.name)
    if target is None or value is None or not is_known(value):
        return ""
    if metric.kind != "ratio" or figures.now.period.days < GOAL_DAYS:
        return ""
    words = f"goal {show(metric, target, figures.currency)}"
    if metric.better == "neither":
        return words
    met = value >= target if metric.better == "up" else value <= target
    return f"{words}, {'met' if met else 'missed'}"


def define(metric: MetricDef, figures: Figures) -> str:
    """What a number means: formula, caveat, days."""
    unit = f" in {figures.currency}" if metric.is_money else ""
    formula = f"{metric.label}{unit} = {metric.formula.replace('_', ' ')}."
    if metric.kind == "sum":
        formula = f"{metric.label}{unit}, added up over days and campaigns."
    return f"{formula} {metric.caveats} {span(figures.now.period)}.".replace("  ", " ").strip()


def sparkline(metric: MetricDef, figures: Figures) -> Sparkline | None:
    """The drawn steps of a metric; amounts start at zero, ratios use their own range."""
    series = figures.now.buckets.get(metric.name)
    if series is None or series.notna().sum() < 2:
        return None
    tail = [figures.today[metric.name]] if is_known(figures.today.get(metric.name)) else []
    if figures.step != 1:
        tail = []
    values = np.array([*series.to_numpy(dtype=float), *tail])
    low = 0.0 if metric.kind == "sum" else float(np.nanmin(values))
    high = float(np.nanmax(values))
    if high <= low:
        high = low + 1
    x = np.linspace(1, WIDTH - 1, len(values))
    y = HEIGHT - 2 - (values - low) / (high - low) * (HEIGHT - 4)
    full = len(values) - len(tail)
    line = path(x[:full], y[:full])
    partial = path(x[full - 1 :], y[full - 1 :]) if tail else ""
    # Reason: a surface under a line with gaps would claim the missing days.
    whole = metric.kind == "sum" and not np.isnan(y[:full]).any()
    area = f"{line}L{x[full - 1]:.1f} {HEIGHT}L{x[0]:.1f} {HEIGHT}Z" if whole else ""
    return Sparkline(line, area, partial)


def path(x: np.ndarray, y: np.ndarray) -> str:
    """An SVG path through the known points; unknown points leave a gap."""
    out: list[str] = []
    pen_up = True
    for a, b in zip(x, y, strict=True):
        if pd.isna(b):
            pen_up = True
            continue
        out.append(f"{'M' if pen_up else 'L'}{a:.1f} {b:.1f}")
        pen_up = False
    return "".join(out)
