"""Frames that know where their numbers come from and how they may be added.

An `InsightsFrame` is a DataFrame: index (`date`, `<level>_id`), first column `<level>_name`, then
the metrics asked for. Beside it travels the table of sums the metrics were made of, so `total`,
`by` and `top` recompute ratios instead of averaging them. `.attrs` says what the numbers are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from adlab.core.errors import DataError, NotAdditiveError
from adlab.core.metrics import MetricDef, metric, refuse_sum
from adlab.core.money import one_currency
from adlab.services.insights import sum_rows, values

if TYPE_CHECKING:
    from adlab.workbench.plots import InsightsPlot


@dataclass(frozen=True)
class Parts:
    """What an InsightsFrame carries beside its columns.

    Attributes:
        sums: Component sums (`m_…`, `n_…`, `d_…`), same index as the frame at birth.
        labels: Per row: currency, account, client, parents, status; same index.
        metrics: The metrics of the frame, in order.
    """

    sums: pd.DataFrame
    labels: pd.DataFrame
    metrics: tuple[MetricDef, ...]


class InsightsFrame(pd.DataFrame):
    """A frame of insights; see the module."""

    _metadata = ["_parts"]  # noqa: RUF012

    @property
    def _constructor(self) -> type[InsightsFrame]:
        return InsightsFrame

    def _own(self) -> tuple[Parts, pd.DataFrame, pd.DataFrame]:
        parts: Parts | None = getattr(self, "_parts", None)
        if (
            parts is None
            or list(self.index.names) != list(parts.sums.index.names)
            or not self.index.isin(parts.sums.index).all()
        ):
            raise DataError(
                "This frame was reshaped and no longer knows what its numbers were made of.",
                "Use .total(), .by(), .top() on what lab.insights() returned, or a filter of it.",
            )
        kept = tuple(m for m in parts.metrics if m.name in self.columns)
        parts = Parts(parts.sums, parts.labels, kept)
        return parts, parts.sums.loc[self.index], parts.labels.loc[self.index]

    def total(self) -> pd.Series[float]:
        """One value per metric over all rows; ratios are recomputed from sums.

        Raises:
            NotAdditiveError: If reach, or a ratio over it, is among the metrics.
            MixedCurrencyError: If money in several currencies would be added.
        """
        parts, sums, labels = self._own()
        self._refuse(parts.metrics, len(self), "rows")
        self._one_currency(parts.metrics, labels)
        result = values(sum_rows(sums), parts.metrics).iloc[0]
        result.name = "total"
        result.attrs = dict(self.attrs)
        return result

    def by(self, key: str | Sequence[str]) -> pd.DataFrame:
        """Totals per group.

        Args:
            key: One or several of `date`, `week`, `month`, `currency`, `client`, `account_name`,
                `campaign_name`, `adset_name`, `objective`, `effective_status`, or the id and name
                of the frame's level.

        Raises:
            ValueError: If there is no such key; the message lists those there are.
            NotAdditiveError: As for `total`.
            MixedCurrencyError: If a group would mix currencies.
        """
        keys = [key] if isinstance(key, str) else list(key)
        parts, sums, labels = self._own()
        table = labels.copy()
        for level in map(str, self.index.names):
            table[level] = self.index.get_level_values(level)
        if "date" in table:
            table["week"] = table["date"].dt.to_period("W").dt.start_time
            table["month"] = table["date"].dt.to_period("M").dt.start_time
        unknown = [k for k in keys if k not in table.columns]
        if unknown:
            raise ValueError(
                f"there is no key {unknown[0]!r}; keys are {', '.join(sorted(table.columns))}"
            )
        joined = sums.reset_index(drop=True)
        for k in keys:
            joined[k] = table[k].to_numpy()
        sizes = joined.groupby(keys, dropna=False).size()
        self._refuse(parts.metrics, int(sizes.max()) if len(sizes) else 0, "rows of a group")
        joined["_currency"] = labels["currency"].to_numpy()
        for _, group in joined.groupby(keys, dropna=False)["_currency"]:
            self._one_currency(parts.metrics, group.to_frame("currency"))
        result = values(sum_rows(joined.drop(columns="_currency"), keys), parts.metrics)
        whole_counts(result, parts.metrics)
        result.attrs = dict(self.attrs)
        return result

    def top(self, n: int = 10, by: str | None = None, min_spend: float = 0.0) -> pd.DataFrame:
        """The objects with the largest value over the whole period.

        Args:
            n: How many.
            by: Metric to sort by; the first of the frame when omitted. Metrics for which less is
                better (CPA) come smallest first.
            min_spend: Leave out objects that spent less, in their account's currency.
        """
        parts, sums, labels = self._own()
        wanted = metric(by) if by else parts.metrics[0]
        if wanted not in parts.metrics:
            raise ValueError(f"{wanted.name!r} is not in this frame; ask for it in metrics=")
        level_id = next(str(n) for n in self.index.names if str(n).endswith("_id"))
        name = level_id.replace("_id", "_name")
        self._refuse(parts.metrics, self.index.get_level_values(level_id).value_counts().max()
                     if len(self) else 0, "days")  # fmt: skip
        if wanted.is_money:
            self._one_currency((wanted,), labels)
        joined = sums.reset_index(drop=True)
        joined[level_id] = self.index.get_level_values(level_id)
        grouped = sum_rows(joined, [level_id])
        result = values(grouped, parts.metrics)
        whole_counts(result, parts.metrics)
        names = pd.Series(labels[name].to_numpy(), index=self.index.get_level_values(level_id))
        result.insert(0, name, names[~names.index.duplicated()].reindex(result.index))
        if min_spend:
            if "m_spend" not in grouped:
                raise ValueError('min_spend needs "spend" among the metrics')
            result = result[grouped["m_spend"] >= min_spend]
        result = result.sort_values(wanted.name, ascending=wanted.better == "down").head(n)
        result.attrs = dict(self.attrs)
        return result

    def to_csv(  # type: ignore[override]  # Reason: one more argument, which pandas' own lacks
        self, path_or_buf: Any = None, *, provenance: bool = True, **options: Any
    ) -> str | None:
        """Write the frame as CSV that says where its numbers come from.

        Args:
            path_or_buf: A path or an open text file; None returns the text.
            provenance: Whether lines that begin with `#` stand above the rows, saying client,
                period, currency and definitions; False is pandas' own `to_csv`.
            **options: pandas' own; the rows are then written by pandas.
        """
        if not provenance:
            plain: str | None = pd.DataFrame(self).to_csv(path_or_buf, **options)
            return plain
        from adlab.workbench.files import csv_text

        if path_or_buf is None:
            return csv_text(self, False, **options)
        if hasattr(path_or_buf, "write"):
            path_or_buf.write(csv_text(self, False, **options))
        else:
            Path(path_or_buf).write_bytes(csv_text(self, True, **options).encode())
        return None

    def to_excel(  # type: ignore[misc]  # Reason: as for to_csv
        self, excel_writer: Any, *, live_ratios: bool | None = None, **options: Any
    ) -> None:
        """Write the frame as XLSX with totals, number formats and a sheet on its provenance.

        Args:
            excel_writer: A path or an open binary file; with pandas' writer, pandas writes.
            live_ratios: Whether ratios are formulas over their sums, so that they follow changes;
                True unless the frame was reshaped or changed.
            **options: pandas' own; pandas then writes, without formulas.

        Raises:
            DataError: If live ratios are wanted of a frame that no longer knows its sums.
        """
        if options or isinstance(excel_writer, pd.ExcelWriter):
            if live_ratios:
                raise ValueError("live_ratios=True takes no arguments of pandas' own to_excel")
            pd.DataFrame(self).to_excel(excel_writer, **options)
            return
        from adlab.exports.write_xlsx import write_xlsx
        from adlab.workbench.files import table_of

        table = table_of(self)
        live = table.parts is not None if live_ratios is None else live_ratios
        content = write_xlsx(table, live_ratios=live)
        if hasattr(excel_writer, "write"):
            excel_writer.write(content)
        else:
            Path(excel_writer).write_bytes(content)

    @property
    def plot(self) -> InsightsPlot:  # type: ignore[override]  # Reason: our charts, not pandas' own
        """Charts of this frame: `f.plot()`, `f.plot.trend("roas")`."""
        from adlab.workbench.plots import InsightsPlot

        return InsightsPlot(self)

    def explain(self) -> str:
        """Which rows and definitions stand behind the numbers, in words."""
        lines = [f"{k}: {v}" for k, v in self.attrs.items()]
        parts: Parts | None = getattr(self, "_parts", None)
        lines += (
            [f"{m.name} = {m.formula}. {m.caveats}".strip() for m in parts.metrics] if parts else []
        )
        return "\n".join(lines)

    @staticmethod
    def _refuse(metrics: Sequence[MetricDef], rows: int, over: str) -> None:
        for m in metrics:
            if m.over_reach and rows > 1:
                error: NotAdditiveError = refuse_sum(
                    m, over, f'Leave it out: f.drop(columns="{m.name}"), or keep time_increment=1.'
                )
                raise error

    @staticmethod
    def _one_currency(metrics: Sequence[MetricDef], labels: pd.DataFrame) -> None:
        if any(m.adds_money for m in metrics) and len(labels):
            one_currency(labels["currency"].dropna().unique(), "the amounts of these rows")


def whole_counts(frame: pd.DataFrame, metrics: Sequence[MetricDef]) -> None:
    """Make counts look like counts where nothing is missing and nothing is a fraction."""
    for m in metrics:
        column = frame[m.name]
        if m.unit == "count" and column.notna().all() and (column % 1 == 0).all():
            frame[m.name] = column.astype("int64")


def attach(frame: pd.DataFrame, parts: Parts, provenance: dict[str, Any]) -> InsightsFrame:
    """Make an InsightsFrame out of a finished frame, its parts and its provenance."""
    result = InsightsFrame(frame)
    object.__setattr__(result, "_parts", parts)
    result.attrs.update(provenance)
    return result
