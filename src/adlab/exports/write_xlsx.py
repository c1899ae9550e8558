"""XLSX files whose ratios stay alive: change a sum, and ratio and total follow.

Sheet "Data" holds the rows, the sums that ratios need, and one totals row a currency; sheet
"About" says where the numbers come from. Text is always written as text.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from adlab.core.errors import DataError
from adlab.core.insights import STORED_BY_NAME
from adlab.core.metrics import METRICS, MetricDef
from adlab.core.money import display_decimals
from adlab.exports.tables import Table, is_missing, plain

MOST_ROWS = 1_048_576
LONGEST_TEXT = 32_767
_SUM_OF = {m.column: m for m in METRICS.values() if m.column}
_OPTIONS = {
    "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
    "strings_to_numbers": False,
}  # fmt: skip
HOW_TOTALS = (
    "Totals: amounts and counts are added up per currency; ratios are recomputed from the sums, "
    "over the rows in which both sides are known. Reach is never added. An empty cell is unknown, "
    "not zero."
)

Kind = Literal["label", "sum", "unique", "ratio", "other"]


@dataclass
class Column:
    """A column of the sheet.

    Attributes:
        title: What stands in its head.
        kind: How its cells are written and what its total is.
        unit: Unit of its numbers, for their format.
        cells: Values, top to bottom.
        metric: The metric, where it is one.
        above: Place of the numerator's column, for live ratios.
        below: Place of the denominator's.
        stored: Stored column its sums come from.
        used_by: For helpers, labels of the ratios that need it.
    """

    title: str
    kind: Kind
    unit: str
    cells: Sequence[Any]
    metric: MetricDef | None = None
    above: int | None = None
    below: int | None = None
    stored: str = ""
    used_by: list[str] = field(default_factory=list)


def write_xlsx(table: Table, *, live_ratios: bool = True) -> bytes:
    """A table as an XLSX file.

    Args:
        table: The rows; `parts` is needed for live ratios.
        live_ratios: Whether ratios are formulas over sums in the same row.

    Raises:
        DataError: If a sheet cannot hold so many rows, or the sums are not known.
    """
    if len(table.values) + len(set(table.currencies)) + 1 > MOST_ROWS:
        raise DataError(
            f"A sheet holds {MOST_ROWS:,} rows, and there are {len(table.values):,}.",
            "Export to .csv or .parquet, or ask for fewer days.",
        )
    if live_ratios and table.parts is None:
        raise DataError(
            "The sums these ratios were made of are not known, so they cannot be formulas.",
            "Export with live_ratios=False, or export what lab.insights() returned.",
        )
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, _OPTIONS) as book:
        _DataSheet(book, table, live_ratios).write()
        _about(book, table)
    return out.getvalue()


def plan_columns(table: Table, live_ratios: bool) -> list[Column]:
    """Columns from left to right: labels, currency, metrics, others, then what ratios need."""
    columns = [
        Column(_title(c), "label", "text", table.labels[c].tolist()) for c in table.labels.columns
    ]
    columns.append(Column("Currency", "label", "text", list(table.currencies)))
    for m in table.metrics:
        columns.append(
            Column(m.label, m.kind, m.unit, table.values[m.name].tolist(), m, stored=m.column)
        )
    for c in table.more.columns:
        columns.append(Column(*_other(str(c)), table.more[c].tolist()))
    if live_ratios and table.parts is not None:
        for column in [c for c in columns if c.kind == "ratio" and c.metric is not None]:
            _link(columns, column, table.parts)
    return columns


def _link(columns: list[Column], ratio: Column, parts: pd.DataFrame) -> None:
    metric = ratio.metric
    assert metric is not None
    ratio.above = _component(columns, metric, metric.numerator, parts[f"n_{metric.name}"])
    ratio.below = _component(columns, metric, metric.denominator, parts[f"d_{metric.name}"])


def _component(
    columns: list[Column], ratio: MetricDef, stored: str, cells: pd.Series[float]
) -> int:  # fmt: skip
    """Place of the column that holds exactly these sums; appended where there is none yet.

    Reason: a ratio counts the rows in which both sides are known, so its sums may differ from the
    column people see.
    """
    wanted = cells.to_numpy(dtype=float)
    for place, column in enumerate(columns):
        if column.stored == stored and np.array_equal(
            np.asarray(column.cells, dtype=float), wanted, equal_nan=True
        ):
            if column.used_by:
                column.used_by.append(ratio.label)
            return place
    known = STORED_BY_NAME[stored]
    unit = "currency" if known.unit == "micro" else "count"
    columns.append(
        Column(_SUM_OF[stored].label, "sum" if known.additive else "unique", unit, wanted.tolist(),
               stored=stored, used_by=[ratio.label])
    )  # fmt: skip
    return len(columns) - 1


def _other(name: str) -> tuple[str, Kind, str]:
    """Title, kind and unit of a column beside the metrics: `spend_prev`, `spend_change`."""
    base, _, what = name.rpartition("_")
    known = METRICS.get(base)
    if known is not None and what == "prev":
        return f"{known.label}, before", "other", known.unit
    if known is not None and what == "change":
        return f"{known.label}, change", "other", "share"
    return _title(name), "other", "number"


def _title(name: object) -> str:
    text = plain(name).replace("_", " ")
    return text[:1].upper() + text[1:]


class _DataSheet:
    """Writes sheet "Data"."""

    def __init__(self, book: Any, table: Table, live: bool) -> None:
        self.book = book
        self.sheet = book.add_worksheet("Data")
        self.table = table
        self.live = live
        self.columns = plan_columns(table, live)
        self.count = len(table.values)
        self._formats: dict[tuple[str, ...], Any] = {}

    def write(self) -> None:
        """Head, rows, totals, and what makes them easy to read."""
        for place, column in enumerate(self.columns):
            self._head(place, column)
            for row in range(self.count):
                self._cell(row + 1, place, column, row)
        # Reason: beside others, rows without a currency have no amounts that a total could add.
        named = [c for c in self.groups if c] or list(self.groups)
        for place, currency in enumerate(named):
            self._totals(self.count + 1 + place, currency)
        labels = sum(c.kind == "label" for c in self.columns)
        self.sheet.freeze_panes(1, min(labels - 1, 3))
        self.sheet.autofilter(0, 0, self.count, len(self.columns) - 1)
        self.sheet.hide_gridlines(2)
        # Reason: identifiers are text on purpose; a green corner on each would cry wolf.
        self.sheet.ignore_errors({"number_stored_as_text": f"A1:D{self.count + 2}"})

    @cached_property
    def groups(self) -> dict[str, list[int]]:
        """Currency → its rows, in order of the code; "" where none is known."""
        found: dict[str, list[int]] = {}
        for row, currency in enumerate(self.table.currencies):
            found.setdefault(currency or "", []).append(row)
        return dict(sorted(found.items()))

    def _head(self, place: int, column: Column) -> None:
        helper = bool(column.used_by)
        title = column.title
        if helper:
            title = f"{title} · counted in {', '.join(column.used_by)}"
        right = column.kind != "label"
        self.sheet.write_string(0, place, plain(title), self._head_format(helper, right))
        width = 12 if right else 22
        if column.kind == "label" and self.count:
            shown = max(len(_text(v)) for v in column.cells[:500])
            width = min(44, max(10, shown + 2, len(title) + 4))
        self.sheet.set_column(place, place, max(width, min(len(title) + 3, 24)))

    def _cell(self, row: int, place: int, column: Column, index: int) -> None:
        value = column.cells[index]
        currency = self.table.currencies[index] or ""
        style = self._format(column.unit, currency, value)
        if column.kind == "ratio" and column.above is not None and column.below is not None:
            formula = self._ratio(row, column)
            cached = "" if is_missing(value) else value
            self.sheet.write_formula(row, place, formula, style, cached)
        elif is_missing(value):
            self.sheet.write_blank(row, place, None, style)
        elif isinstance(value, datetime | date):
            day = value.replace(tzinfo=None) if isinstance(value, datetime) else value
            self.sheet.write_datetime(row, place, day, self._format("day", "", 0))
        elif isinstance(value, int | float) and column.kind != "label":
            if math.isfinite(value):
                # Reason: sums of floats end in noise beyond the millionths the store keeps.
                self.sheet.write_number(row, place, round(value, 6), style)
        else:
            self.sheet.write_string(row, place, _text(value))

    def _totals(self, row: int, currency: str) -> None:
        index = self.groups[currency]
        bold = self._style(bold=True, top=1, top_color="#E3E6EB")
        self.sheet.write_string(row, 0, f"Total {currency}".strip(), bold)
        sums: dict[int, float] = {}
        for place, column in enumerate(self.columns):
            if column.kind == "sum":
                known = [v for i in index if not is_missing(v := column.cells[i])]
                sums[place] = math.fsum(known) if known else math.nan
        for place, column in enumerate(self.columns[1:], 1):
            style = self._format(column.unit, currency, sums.get(place, 0.0), total=True)
            self._total(row, place, column, currency, sums, style)

    def _total(
        self, row: int, place: int, column: Column, currency: str, sums: dict[int, float],
        style: Any,
    ) -> None:  # fmt: skip
        write = self.sheet
        if column.title == "Currency" and column.kind == "label":
            write.write_string(row, place, currency, style)
        elif place in sums and not math.isnan(sums[place]):
            write.write_formula(row, place, self._sum(place, currency), style, sums[place])
        elif column.above in sums and column.below in sums:
            assert column.metric is not None
            above, below = sums[column.above], sums[column.below]
            known = below == below and below != 0
            cached = above / below * column.metric.scale if known else ""
            write.write_formula(row, place, self._ratio(row, column), style, cached)
        else:
            write.write_blank(row, place, None, style)
            if column.metric is not None and column.kind != "sum":
                write.write_comment(row, place, self._why_blank(column.metric))

    @staticmethod
    def _why_blank(metric: MetricDef) -> str:
        if metric.over_reach:
            return "Not added up: reach counts distinct people, who come back on other days."
        return "Not averaged: the sums behind this ratio are not in the file."

    def _sum(self, place: int, currency: str) -> str:
        def block(where: int) -> str:
            name = xl_col_to_name(where)
            return f"{name}$2:{name}${self.count + 1}"

        if len(self.groups) == 1 or not currency:
            return f"=SUM({block(place)})"
        codes = next(i for i, c in enumerate(self.columns) if c.title == "Currency")
        return f'=SUMIF(${block(codes).replace(":", ":$")},"{currency}",{block(place)})'

    @staticmethod
    def _ratio(row: int, column: Column) -> str:
        above, below = (xl_rowcol_to_cell(row, c) for c in (column.above, column.below))
        assert column.metric is not None
        scale = "" if column.metric.scale == 1 else f"*{column.metric.scale}"
        return f'=IF({below}=0,"",{above}/{below}{scale})'

    def _format(self, unit: str, currency: str, value: Any, total: bool = False) -> Any:
        if unit == "currency":
            number = "#,##0" if currency and not display_decimals(currency) else "#,##0.00"
        elif unit == "count":
            whole = is_missing(value) or float(value).is_integer()
            number = "#,##0" if whole else "#,##0.0#"
        else:
            number = {"share": "0.00%", "ratio": "0.00", "day": "yyyy-mm-dd", "number": "General",
                      "text": "@"}.get(unit, "0.00")  # fmt: skip
        if total:
            return self._style(num_format=number, bold=True, top=1, top_color="#E3E6EB")
        return self._style(num_format=number)

    def _head_format(self, helper: bool, right: bool) -> Any:
        color = "#8A93A0" if helper else "#14181F"
        return self._style(
            bold=not helper, italic=helper, font_color=color, bottom=1, bottom_color="#C9CED6",
            align="right" if right else "left", valign="vcenter", text_wrap=True,
        )  # fmt: skip

    def _style(self, **wanted: Any) -> Any:
        key = tuple(f"{k}={v}" for k, v in sorted(wanted.items()))
        if key not in self._formats:
            self._formats[key] = self.book.add_format(wanted)
        return self._formats[key]


def _text(value: object) -> str:
    return "" if is_missing(value) else plain(value)[:LONGEST_TEXT]


def _about(book: Any, table: Table) -> None:
    sheet = book.add_worksheet("About")
    bold = book.add_format({"bold": True, "valign": "top"})
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 70)
    sheet.set_column(2, 2, 60)
    rows = [*table.source.lines(), ("How totals add up", HOW_TOTALS)]
    for row, (name, text) in enumerate(rows):
        sheet.write_string(row, 0, name, bold)
        sheet.write_string(row, 1, _text(text), wrap)
    start = len(rows) + 1
    for place, title in enumerate(("Metric", "Definition", "What to know")):
        sheet.write_string(start, place, title, bold)
    for row, m in enumerate(table.metrics, start + 1):
        sheet.write_string(row, 0, f"{m.label} ({m.name})", wrap)
        sheet.write_string(row, 1, m.formula.replace("_", " "), wrap)
        sheet.write_string(row, 2, m.caveats, wrap)
