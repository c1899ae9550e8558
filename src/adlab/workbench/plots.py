"""Charts of an InsightsFrame: `f.plot()`, `f.plot.trend("roas")`.

hvplot is imported when a chart is drawn, not before: it takes seconds to load.
"""

# Reason: not hvplot's own display. It fetches its scripts from public networks, which tells others
# who works here, and shows nothing where there is no way out.

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from adlab.core.metrics import MetricDef
from adlab.core.metrics import metric as look_up
from adlab.core.money import one_currency

if TYPE_CHECKING:
    from adlab.workbench.frames import InsightsFrame

# Reason: more lines than colours that can be told apart help nobody.
MOST_LINES = 10


HEIGHT = 340


def page_of(view: Any) -> str:
    """A chart as a whole page with everything it needs inside.

    Args:
        view: A HoloViews object, as `f.plot()` returns it.
    """
    import holoviews as hv
    from bokeh.embed import json_item

    figure = hv.render(view, backend="bokeh")
    figure.sizing_mode = "stretch_width"
    figure.toolbar.logo = None
    figure.outline_line_color = None
    # Reason: names of campaigns are in there, and "</script>" would end the script.
    item = json.dumps(json_item(figure)).replace("<", "\\u003c")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>'
        f"{html.escape(figure.title.text)}</title><script>{_bokeh_script()}</script></head>"
        '<body style="margin:0;font-family:Inter,system-ui,sans-serif"><div id="chart"></div>'
        f'<script>Bokeh.embed.embed_item({item}, "chart")</script></body></html>'
    )


def shown_in_notebooks(view: Any) -> Any:
    """The same HoloViews object, which from now on shows itself without asking another host."""

    def bundle(include: Any = None, exclude: Any = None) -> dict[str, str]:
        page = html.escape(page_of(view), quote=True)
        frame = (
            f'<iframe srcdoc="{page}" title="Chart" '
            f'style="width:100%;height:{HEIGHT + 24}px;border:0"></iframe>'
        )
        return {"text/html": frame, "text/plain": str(type(view).__name__)}

    view._repr_mimebundle_ = bundle
    return view


class InsightsPlot:
    """Draws a frame.

    Args:
        frame: What `lab.insights()` returned, or rows of it.
    """

    def __init__(self, frame: InsightsFrame) -> None:
        self._frame = frame

    def __call__(self, metric: str | None = None) -> Any:
        """A line per object over time; bars per object where the frame has no dates.

        Args:
            metric: Column to draw; the first metric when omitted.
        """
        if "date" in self._frame.index.names:
            return self.trend(metric)
        return self._bars(self._metric(metric))

    def trend(self, metric: str | None = None) -> Any:
        """A line per object over time, the objects with the largest values first.

        Args:
            metric: Column to draw; the first metric when omitted.

        Raises:
            ValueError: If the frame has no dates or not that column.
            MixedCurrencyError: If money in several currencies would share an axis.
        """
        if "date" not in self._frame.index.names:
            raise ValueError("this frame has no dates; ask with time_increment=1 for a trend")
        wanted = self._metric(metric)
        table, name = self._table(wanted)
        # Reason: a median of shown values only picks which lines to draw; it is reported nowhere.
        order = table.groupby(name)[wanted.name].median().sort_values(ascending=False).index
        drawn = table[table[name].isin(order[:MOST_LINES])]
        style = self._style(wanted, len(order), MOST_LINES)
        return _draw(
            "y", wanted,
            lambda plot: plot(drawn).line(x="date", y=wanted.name, by=name, **style)
            .opts(xlabel="Day")
        )  # fmt: skip

    def _bars(self, wanted: MetricDef) -> Any:
        table, name = self._table(wanted)
        drawn = table.sort_values(wanted.name, ascending=False).head(MOST_LINES)
        style = self._style(wanted, len(table), MOST_LINES)
        return _draw(
            "x", wanted,
            lambda plot: plot(drawn).barh(x=name, y=wanted.name, **style).opts(xlabel=""),
        )  # fmt: skip

    def _metric(self, name: str | None) -> MetricDef:
        columns = [c for c in self._frame.columns if not str(c).endswith("_name")]
        if not columns:
            raise ValueError("this frame has no metric to draw")
        wanted = look_up(name) if name is not None else look_up(str(columns[0]))
        if wanted.name not in self._frame.columns:
            raise ValueError(
                f"this frame has no column {wanted.name!r}; it has {', '.join(map(str, columns))}"
            )
        if wanted.is_money:
            currency = self._frame.attrs.get("currency")
            one_currency(
                [currency] if isinstance(currency, str) else currency or ["?"], "the lines"
            )
        return wanted

    def _table(self, wanted: MetricDef) -> tuple[pd.DataFrame, str]:
        """A plain frame with the metric and a column that names the objects uniquely."""
        table = pd.DataFrame(self._frame.reset_index())
        level = str(self._frame.attrs.get("level", "object"))
        id_, name = f"{level}_id", f"{level}_name"
        if name not in table:
            return table, id_
        alike = table.groupby(name)[id_].transform("nunique") > 1
        table[name] = (
            table[name].astype(str).where(~alike, table[name].astype(str) + " " + table[id_])
        )
        return table, name

    def _style(self, wanted: MetricDef, objects: int, most: int) -> dict[str, Any]:
        attrs = self._frame.attrs
        label = wanted.label
        if wanted.is_money:
            label = f"{wanted.label} ({attrs.get('currency')})"
        elif wanted.unit == "share":
            label = f"{wanted.label} (%)"
        some = f", {most} of {objects}" if objects > most else ""
        title = (
            f"{wanted.label} per {attrs.get('level', 'object')}{some}, "
            f"{', '.join(attrs.get('clients', []))}, "
            f"{attrs.get('since', '')} to {attrs.get('until', '')}"
        )
        return {
            "title": title,
            "ylabel": label,
            "height": HEIGHT,
            "responsive": True,
        }


@cache
def _bokeh_script() -> str:
    """Bokeh's runtime.

    Reason: not through its own resources, to which Panel adds scripts of other addresses.
    """
    import bokeh

    runtime = Path(bokeh.__file__).parent / "server/static/js/bokeh.min.js"
    return runtime.read_text(encoding="utf-8").replace("</script", "<\\/script")


_NUMERALS = {"currency": "0,0.00", "share": "0.0[00]%", "count": "0,0"}


def _draw(axis: Literal["x", "y"], wanted: MetricDef, how: Callable[[Any], Any]) -> Any:
    """Draw with hvplot.

    Args:
        axis: Where the metric stands.
        wanted: The metric.
        how: Gets what makes a plotter of a frame.
    """
    import holoviews as hv
    import holoviews.plotting.bokeh
    from hvplot import hvPlotTabular

    def numbers(plot: Any, _element: Any) -> None:
        from bokeh.models import NumeralTickFormatter

        # Reason: made anew with each drawing, because a Bokeh model lives in one document only.
        form = _NUMERALS.get(wanted.unit, "0,0.[00]")
        getattr(plot.state, f"{axis}axis")[0].formatter = NumeralTickFormatter(format=form)

    with _extension_left_out(hv):
        hv.Store.set_current_backend("bokeh")
        return shown_in_notebooks(how(hvPlotTabular).opts(hooks=[numbers]))


@contextmanager
def _extension_left_out(hv: Any) -> Iterator[None]:
    """Keep hvplot from loading its notebook scripts meanwhile; whoever wants them still can."""
    before = hv.extension._loaded
    hv.extension._loaded = True
    try:
        yield
    finally:
        hv.extension._loaded = before
