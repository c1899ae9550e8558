"""Charts of an InsightsFrame: `f.plot()`, `f.plot.trend("roas")`.

hvplot is imported when a chart is drawn, not before: it takes seconds to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from adlab.core.metrics import MetricDef
from adlab.core.metrics import metric as look_up
from adlab.core.money import one_currency

if TYPE_CHECKING:
    from adlab.workbench.frames import InsightsFrame

# Reason: more lines than colours that can be told apart help nobody.
MOST_LINES = 10


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
        import hvplot.pandas  # noqa: F401

        return drawn.hvplot.line(
            x="date", y=wanted.name, by=name, **self._style(wanted, len(order), MOST_LINES)
        ).opts(xlabel="Day")

    def _bars(self, wanted: MetricDef) -> Any:
        table, name = self._table(wanted)
        drawn = table.sort_values(wanted.name, ascending=False).head(MOST_LINES)
        import hvplot.pandas  # noqa: F401

        return drawn.hvplot.barh(
            x=name, y=wanted.name, **self._style(wanted, len(table), MOST_LINES, bars=True)
        ).opts(xlabel="")

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
            "height": 340,
            "responsive": True,
        }
