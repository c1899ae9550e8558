"""The large chart: one metric over the days, a second panel below it, drawn as SVG by the server.

Reason: SVG in the first document paints before any script, follows light and dark by itself and
needs no model. Geometry is stretched to the page's width (strokes are not); text stands in HTML
beside it, placed in percent, so it is never distorted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from adlab.core.metrics import METRICS, MetricDef
from adlab.core.periods import Epoch
from adlab.ui import formats
from adlab.ui.address import Address
from adlab.ui.figures import Figures, epochs_in
from adlab.ui.tiles import path
from adlab.ui.variation import judge
from adlab.ui.wording import before_label, chart_title

WIDTH = 1000.0
MAIN, LOWER = 220.0, 84.0

# What stands below each metric: its price or its yield.
COMPANION = {
    "spend": "roas", "impressions": "link_ctr", "link_clicks": "link_ctr", "purchases": "cpa",
    "revenue": "roas", "roas": "spend", "cpa": "spend", "link_ctr": "impressions",
}  # fmt: skip


@dataclass(frozen=True)
class Tick:
    """A label on an axis, with its place in percent of the panel."""

    at: float
    text: str
    minor: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar in the panel's own units."""

    x: float
    y: float
    width: float
    height: float
    partial: bool = False


@dataclass(frozen=True)
class Panel:
    """One of the stacked panels.

    Attributes:
        label: Metric and unit.
        height: In pixels.
        ticks: Value axis.
        line: Path of the values, or "".
        dots: Single known points that no line reaches, as (x, y) in percent.
        bars: Bars, for amounts.
        before: Path of the days compared with, or "".
        partial: Path to today's unfinished point, or "".
        end: Direct label of the line's end: place in percent and text.
        before_end: The same for the days compared with.
    """

    label: str
    height: float
    ticks: tuple[Tick, ...]
    line: str = ""
    dots: tuple[tuple[float, float], ...] = ()
    bars: tuple[Bar, ...] = ()
    before: str = ""
    partial: str = ""


@dataclass(frozen=True)
class Flag:
    """A definition change on the time axis; `row` keeps labels of close ones apart."""

    at: float
    title: str
    detail: str
    row: int = 0


@dataclass(frozen=True)
class Trend:
    """The whole chart, ready to draw.

    Attributes:
        title: The finding.
        subtitle: Metric, unit, step.
        panels: From top to bottom.
        days: Labels of the time axis.
        flags: Definition changes.
        hover: What the pointer shows, per step: `x` labels and rows of (name, values).
        rows: The table twin: day, then the shown metrics as text.
        columns: Heads of the table twin.
        before_label: Name of the soft line, or "".
        today: Whether the last step is today so far.
    """

    title: str
    subtitle: str
    panels: tuple[Panel, ...]
    days: tuple[Tick, ...]
    flags: tuple[Flag, ...]
    hover: dict[str, Any]
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]
    before_label: str
    today: bool


def make_trend(figures: Figures, address: Address) -> Trend:
    """Draw the chosen metric and its companion."""
    metric = METRICS[address.metric]
    other = _companion(metric, figures)
    now, before = figures.now, figures.before
    with_today = figures.step == 1 and formats.is_known(figures.today.get(metric.name))
    steps = list(now.buckets.index)
    if with_today:
        steps.append(now.period.until + timedelta(days=1))
    judged = judge(metric, now.parts, before.parts if before else None)
    unit = "per day" if figures.step == 1 else "per week"
    return Trend(
        title=chart_title(metric, figures, address, judged),
        subtitle=_unit(metric, figures.currency) + f" {unit}",
        panels=(
            _panel(metric, figures, steps, MAIN, with_today, compare=True),
            _panel(other, figures, steps, LOWER, with_today, compare=False),
        ),
        days=_days(steps, figures.step),
        flags=_flags(figures.epochs, figures, steps),
        hover=_hover((metric, other), figures, steps, with_today),
        rows=_rows((metric, other), figures, steps, with_today),
        columns=("Day" if figures.step == 1 else "Week from", metric.label, *(
            [f"{metric.label} before"] if before else []), other.label),
        before_label=before_label(address, now.period) if before else "",
        today=with_today,
    )  # fmt: skip


def _companion(metric: MetricDef, figures: Figures) -> MetricDef:
    """What stands below; where its values are unknown (files without revenue), the next best."""
    choices = [n for n in (COMPANION[metric.name], "cpa", "link_ctr", "spend") if n != metric.name]
    known = (n for n in choices if figures.now.buckets[n].notna().any())
    return METRICS[next(known, choices[0])]


def _unit(metric: MetricDef, currency: str) -> str:
    if metric.unit == "currency":
        return f"{metric.label} in {currency}"
    return f"{metric.label} in percent" if metric.unit == "share" else metric.label


def _series(metric: MetricDef, figures: Figures, steps: list[Any], today: bool) -> np.ndarray:
    values = figures.now.buckets[metric.name].to_numpy(dtype=float)
    if today:
        values = np.append(values, figures.today.get(metric.name, math.nan))
    assert len(values) == len(steps)
    return np.asarray(values, dtype=float)


def _old(metric: MetricDef, figures: Figures, steps: list[Any]) -> np.ndarray | None:
    if figures.before is None:
        return None
    values = figures.before.buckets[metric.name].to_numpy(dtype=float)[: len(steps)]
    return np.pad(values, (0, max(0, len(steps) - len(values))), constant_values=np.nan)


def _panel(
    metric: MetricDef, figures: Figures, steps: list[Any], height: float, today: bool,
    compare: bool,
) -> Panel:  # fmt: skip
    values = _series(metric, figures, steps, today)
    old = _old(metric, figures, steps) if compare else None
    full = values[:-1] if today else values
    seen = np.concatenate([full, old if old is not None else full])
    marks = nice_ticks(seen, zero=metric.kind == "sum", most=4 if height > 100 else 2)
    low, high = marks[0], marks[-1]
    places = (np.arange(len(steps)) + 0.5) / len(steps) * WIDTH

    def up(v: np.ndarray) -> np.ndarray:
        return height - (v - low) / (high - low) * height

    y = np.clip(up(values), 0, height)
    cut = len(full)
    bars: tuple[Bar, ...] = ()
    line = partial = ""
    if metric.kind == "sum":
        width = WIDTH / len(steps) * (0.68 if len(steps) < 100 else 0.8)
        bars = tuple(
            Bar(x - width / 2, top, width, height - top, today and i == cut)
            for i, (x, top) in enumerate(zip(places, y, strict=True))
            if not np.isnan(top)
        )
    else:
        line = path(places[:cut], y[:cut])
        partial = path(places[cut - 1 :], y[cut - 1 :]) if today and cut else ""
    before = "" if old is None else path(places, np.clip(up(old), 0, height))
    return Panel(
        label=metric.label + (f" ({figures.currency})" if metric.is_money else ""),
        height=height,
        ticks=tuple(
            Tick(100 - (m - low) / (high - low) * 100, formats.axis(metric, m, figures.currency))
            for m in marks
        ),
        line=line, bars=bars, before=before, partial=partial,
        dots=_lonely(places[:cut], y[:cut], height) if line else (),
    )  # fmt: skip


def _lonely(x: np.ndarray, y: np.ndarray, height: float) -> tuple[tuple[float, float], ...]:
    """Known points without a known neighbour, which no line would show."""
    known = np.concatenate([[False], ~np.isnan(y), [False]])
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    return tuple(
        (round(a / WIDTH * 100, 2), round(b / height * 100, 2))
        for a, b in zip(x[alone], y[alone], strict=True)
    )


def nice_ticks(values: np.ndarray, *, zero: bool, most: int) -> list[float]:
    """Round axis values that enclose the data: 1, 2, 2.5 and 5 times powers of ten.

    Args:
        values: The data; NaN is left out.
        zero: Whether the axis must start at zero.
        most: About how many intervals.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return [0.0, 1.0]
    low, high = float(known.min()), float(known.max())
    if zero or low < 0.4 * high:
        low = min(0.0, low)
    if high <= low:
        low, high = (0.0, 1.0) if high == 0 else (0.0, high)
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _days(steps: list[Any], step: int, wanted: int = 8) -> tuple[Tick, ...]:
    stride = max(1, math.ceil(len(steps) / wanted))
    shown = range((len(steps) - 1) % stride, len(steps), stride)
    return tuple(
        Tick(
            (i + 0.5) / len(steps) * 100,
            formats.day(steps[i]) if step == 1 else f"{steps[i]:%b %Y}",
            minor=bool(n % 2),
        )
        for n, i in enumerate(reversed(shown))
    )


def _flags(epochs: tuple[Epoch, ...], figures: Figures, steps: list[Any]) -> tuple[Flag, ...]:
    out: list[Flag] = []
    for e in epochs_in(epochs, figures.now.period):
        place = round((e.starts_on - steps[0]).days / figures.step / len(steps) * 100, 2)
        row = (out[-1].row + 1) % 3 if out and place - out[-1].at < 25 else 0
        out.append(Flag(place, e.title, f"{formats.day(e.starts_on)}: {e.detail}", row))
    return tuple(out)


def _hover(
    metrics: tuple[MetricDef, ...], figures: Figures, steps: list[Any], today: bool
) -> dict[str, Any]:
    names = [formats.weekday(s) if figures.step == 1 else f"Week from {formats.day(s)}"
             for s in steps]  # fmt: skip
    if today:
        names[-1] += ", so far"
    rows = []
    for n, m in enumerate(metrics):
        values = _series(m, figures, steps, today)
        rows.append([m.label, [formats.show(m, v, figures.currency) for v in values]])
        old = _old(m, figures, steps) if n == 0 else None
        if old is not None:
            rows.append(["before", [formats.show(m, v, figures.currency) for v in old]])
    return {"x": names, "days": [s.isoformat() for s in steps], "step": figures.step, "rows": rows}


def _rows(
    metrics: tuple[MetricDef, ...], figures: Figures, steps: list[Any], today: bool
) -> tuple[tuple[str, ...], ...]:
    hover = _hover(metrics, figures, steps, today)
    columns = [values for _, values in hover["rows"]]
    return tuple(zip(hover["x"], *columns, strict=True))
