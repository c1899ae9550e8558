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
from typing import TYPE_CHECKING, Any

import pandas as pd

from adlab.core.metrics import MetricDef
from adlab.core.metrics import metric as look_up
from adlab.core.money import one_currency

if TYPE_CHECKING:
    from adlab.workbench.frames import InsightsFrame

# Reason: more lines than colours that can be told apart help nobody.
MOST_LINES = 10


HEIGHT = 340


class Chart:
    """A chart that shows itself in a notebook with all it needs inside, asking no other host.

    Attributes:
        view: The HoloViews object, for `.opts(…)` and for combining charts.
    """

    def __init__(self, view: Any) -> None:
        self.view = view
        self._figure: Any = None
        self._page = ""

    def __repr__(self) -> str:
        return f"Chart({self.title!r})"

    def __getattr__(self, name: str) -> Any:
        """What HoloViews objects can do, such as `traverse`, this can, too."""
        if name.startswith("_") or name == "view":
            raise AttributeError(name)
        return getattr(self.view, name)

    def opts(self, *options: Any, **named: Any) -> Chart:
        """The chart with other options of HoloViews."""
        return Chart(self.view.opts(*options, **named))

    @property
    def title(self) -> str:
        """Its title."""
        return str(self.figure().title.text)

    def figure(self) -> Any:
        """The Bokeh figure, drawn once: its models belong to one document."""
        if self._figure is None:
            import holoviews as hv

            self._figure = hv.render(self.view, backend="bokeh")
        return self._figure

    def html(self) -> str:
        """A whole page with the chart, its scripts included."""
        if not self._page:
            self._page = self._draw_page()
        return self._page

    def _draw_page(self) -> str:
        from bokeh.embed import json_item

        figure = self.figure()
        figure.sizing_mode = "stretch_width"
        figure.toolbar.logo = None
        figure.outline_line_color = None
        # Reason: names of campaigns are in there, and "</script>" would end the script.
        item = json.dumps(json_item(figure)).replace("<", "\\u003c")
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>'
            f"{html.escape(self.title)}</title><script>{_bokeh_script()}</script></head>"
            '<body style="margin:0;font-family:Inter,system-ui,sans-serif"><div id="chart"></div>'
            f'<script>Bokeh.embed.embed_item({item}, "chart")</script></body></html>'
        )

    def _repr_html_(self) -> str:
        page = html.escape(self.html(), quote=True)
        return (
            f'<iframe srcdoc="{page}" title="{html.escape(self.title, quote=True)}" '
            f'style="width:100%;height:{HEIGHT + 24}px;border:0"></iframe>'
        )


class InsightsPlot:
    """Draws a frame.

    Args:
        frame: What `lab.insights()` returned, or rows of it.
    """

    def __init__(self, frame: InsightsFrame) -> None:
        self._frame = frame

    def __call__(self, metric: str | None = None) -> Chart:
        """A line per object over time; bars per object where the frame has no dates.

        Args:
            metric: Column to draw; the first metric when omitted.
        """
        if "date" in self._frame.index.names:
            return self.trend(metric)
        return self._bars(self._metric(metric))

    def trend(self, metric: str | None = None) -> Chart:
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
            lambda plot: plot(drawn).line(x="date", y=wanted.name, by=name, **style)
            .opts(xlabel="Day")
        )  # fmt: skip

    def _bars(self, wanted: MetricDef) -> Chart:
        table, name = self._table(wanted)
        drawn = table.sort_values(wanted.name, ascending=False).head(MOST_LINES)
        style = self._style(wanted, len(table), MOST_LINES, bars=True)
        return _draw(lambda plot: plot(drawn).barh(x=name, y=wanted.name, **style).opts(xlabel=""))

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

    def _style(
        self, wanted: MetricDef, objects: int, most: int, bars: bool = False
    ) -> dict[str, Any]:
        from bokeh.models import NumeralTickFormatter

        attrs = self._frame.attrs
        label, numerals = wanted.label, "0,0.[00]"
        if wanted.is_money:
            label, numerals = f"{wanted.label} ({attrs.get('currency')})", "0,0.00"
        elif wanted.unit == "share":
            label, numerals = f"{wanted.label} (%)", "0.0[00]%"
        elif wanted.unit == "count":
            numerals = "0,0"
        some = f", {most} of {objects}" if objects > most else ""
        title = (
            f"{wanted.label} per {attrs.get('level', 'object')}{some}, "
            f"{', '.join(attrs.get('clients', []))}, "
            f"{attrs.get('since', '')} to {attrs.get('until', '')}"
        )
        axis = "xformatter" if bars else "yformatter"
        return {
            "title": title,
            "ylabel": label,
            axis: NumeralTickFormatter(format=numerals),
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


def _draw(how: Callable[[Any], Any]) -> Chart:
    """Draw with hvplot; `how` gets what makes a plotter of a frame."""
    import holoviews as hv
    import holoviews.plotting.bokeh
    from hvplot import hvPlotTabular

    with _extension_left_out(hv):
        hv.Store.set_current_backend("bokeh")
        return Chart(how(hvPlotTabular))


@contextmanager
def _extension_left_out(hv: Any) -> Iterator[None]:
    """Keep hvplot from loading its notebook scripts meanwhile; whoever wants them still can."""
    before = hv.extension._loaded
    hv.extension._loaded = True
    try:
        yield
    finally:
        hv.extension._loaded = before
