"""Charts on paper: matplotlib in the house style, with the client's own colour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from adlab.core.metrics import MetricDef
from adlab.reports.pdf import FACES, FONTS
from adlab.ui.formats import axis, day
from adlab.ui.theme import TOKENS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from adlab.stats.comparison import ArmComparison

INK, SOFT, HAIRLINE = (TOKENS["light"][n] for n in ("ink", "ink-soft", "hairline"))
WIDTH = 166 / 25.4
FONT_SIZE = 8.0


@contextmanager
def house_style() -> Iterator[None]:
    """Fonts, sizes and lines of the paper, for everything drawn and saved inside."""
    import logging

    import matplotlib as mpl
    from matplotlib import font_manager

    known = {e.fname for e in font_manager.fontManager.ttflist}
    for face in FACES:
        if str(FONTS / face) not in known and (FONTS / face).is_file():
            font_manager.fontManager.addfont(FONTS / face)
    # Reason: a script our fonts lack is drawn by the paper's own fallback; no news for a reader.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with mpl.rc_context(
        {
            "font.family": ["Inter", "DejaVu Sans"], "font.size": FONT_SIZE, "svg.fonttype": "none",
            "svg.hashsalt": "adlab", "axes.edgecolor": HAIRLINE, "axes.linewidth": 0.6,
            "axes.labelcolor": SOFT, "text.color": INK, "xtick.color": SOFT, "ytick.color": SOFT,
            "xtick.major.size": 0, "ytick.major.size": 0, "axes.spines.top": False,
            "axes.spines.right": False, "axes.spines.left": False, "grid.color": HAIRLINE,
            "grid.linewidth": 0.6, "figure.dpi": 72, "savefig.facecolor": "none",
            "axes.facecolor": "none", "text.parse_math": False, "axes.unicode_minus": True,
        }
    ):  # fmt: skip
        yield


def trend(
    days: pd.DataFrame, upper: MetricDef, lower: MetricDef | None, currency: str, color: str,
    breaks: Sequence[Any] = (),
) -> Figure:  # fmt: skip
    """Two stacked panels over the same days: an amount as bars, a ratio as a line.

    Args:
        days: Metric values per day, indexed by date.
        upper: Drawn as bars from zero.
        lower: Drawn as a line below, or None for one panel.
        currency: ISO code of the amounts.
        color: The client's.
        breaks: Days on which Meta changed a definition, drawn as dashed lines.
    """
    import matplotlib.pyplot as plt

    with house_style():
        panels = 1 if lower is None else 2
        figure: Figure
        figure, found = plt.subplots(
            panels, 1, figsize=(WIDTH, 0.75 + 1.15 * panels), sharex=True, squeeze=False,
            gridspec_kw={"hspace": 0.42},
        )  # fmt: skip
        axes = found[:, 0]
        axes[0].bar(days.index, days[upper.name], width=0.72, color=color, linewidth=0, zorder=2)
        _panel(axes[0], upper, currency, days[upper.name].max())
        if lower is not None:
            values = days[lower.name]
            axes[1].plot(
                days.index, values, color=color, linewidth=1.5, marker="o", markersize=2.6, zorder=2
            )
            _panel(axes[1], lower, currency, values.max())
        for moment in breaks:
            for drawn in axes:
                drawn.axvline(moment, color=SOFT, linewidth=0.8, linestyle=(0, (3, 2)))
        ticks = _tick_days(list(days.index))
        axes[-1].set_xticks(ticks, [day(t) for t in ticks])
        figure.subplots_adjust(left=0.075, right=0.995, top=0.92, bottom=0.085)
        figure.align_ylabels(axes)
    return figure


def _tick_days(days: Sequence[Any]) -> list[Any]:
    """The first day, then every so many, with the last one where it does not collide."""
    step = max(1, math.ceil(len(days) / 6))
    return list(days[::step])


def _panel(axes: Axes, metric: MetricDef, currency: str, highest: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: axis(metric, v, currency)))
    axes.grid(axis="y", zorder=0)
    axes.set_axisbelow(True)
    # Reason: amounts and ratios start at zero, and the highest keeps clear of the title.
    axes.set_ylim(0, highest * 1.12 if highest > 0 else 1)
    unit = f", {currency}" if metric.is_money else ""
    axes.set_title(f"{metric.label}{unit}", loc="left", fontsize=FONT_SIZE, color=SOFT, pad=7)


def intervals(result: ArmComparison, color: str) -> Figure:
    """The lift of B over A with its interval, against no difference."""
    import matplotlib.pyplot as plt

    with house_style():
        figure: Figure
        figure, axes = plt.subplots(figsize=(WIDTH, 1.05))
        low, high = (v * 100 for v in result.interval)
        at = result.lift * 100
        finite = [v for v in (low, high, at, 0.0) if math.isfinite(v)]
        room = max((max(finite) - min(finite)) * 0.15, 1.0)
        left, right = min(finite) - room, max(finite) + room
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.plot(
            [low if math.isfinite(low) else left, high if math.isfinite(high) else right], [0, 0],
            color=color, linewidth=5, alpha=0.28, solid_capstyle="butt",
        )  # fmt: skip
        if math.isfinite(at):
            axes.plot([at], [0], "o", color=color, markersize=6)
            axes.annotate(
                f"{at:+.1f} %".replace("-", "−"), (at, 0), (0, 9), textcoords="offset points",
                ha="center", weight=600,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )  # fmt: skip
        axes.set_xlim(left, right)
        axes.set_ylim(-1, 1.4)
        axes.set_yticks([])
        axes.xaxis.set_major_formatter(lambda v, _: f"{v:+.0f} %".replace("-", "−") if v else "0")
        axes.annotate(
            "no difference", (0, 1.25), (4, 0), textcoords="offset points", color=SOFT, va="top"
        )
        figure.subplots_adjust(left=0.01, right=0.99, top=0.98, bottom=0.2)
    return figure
