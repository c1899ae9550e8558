"""CSV files that say where their numbers come from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date

import pandas as pd

from adlab.core.metrics import MetricDef
from adlab.core.money import display_decimals
from adlab.exports.tables import Provenance, Table, is_missing, safe

MARK = "\ufeff"


def write_csv(table: Table, *, mark: bool = True) -> str:
    """A table with provenance lines above it.

    Args:
        table: The rows.
        mark: Whether to begin with a byte-order mark, by which spreadsheets know UTF-8.

    Returns:
        Text with CRLF line ends. Money in major units, exact; rates as shares; an empty cell is
        unknown, not zero.
    """
    out = io.StringIO()
    out.write(head_lines(table.source, table.definitions()))
    write = csv.writer(out, lineterminator="\r\n").writerow
    labels = [safe(c) for c in table.labels.columns]
    write([*labels, "currency", *(m.name for m in table.metrics), *map(safe, table.more.columns)])
    numbers = [table.values[m.name].tolist() for m in table.metrics]
    others = [table.more[c].tolist() for c in table.more.columns]
    names = [table.labels[c].tolist() for c in table.labels.columns]
    for i, currency in enumerate(table.currencies):
        write([
            *(label_text(column[i]) for column in names),
            currency or "",
            *(number_text(m, c[i], currency) for m, c in zip(table.metrics, numbers, strict=True)),
            *(other_text(column[i]) for column in others),
        ])  # fmt: skip
    return (MARK if mark else "") + out.getvalue()


def head_lines(source: Provenance, definitions: Iterable[str]) -> str:
    """Provenance as lines that begin with `#`."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    for name, text in source.lines():
        write((f"# {name}", safe(text)))
    for text in definitions:
        write(("# Definition", safe(text)))
    return out.getvalue()


def label_text(value: object) -> str:
    """A label: days as 2026-11-20, text fit for spreadsheets, nothing where there is none."""
    if is_missing(value):
        return ""
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else safe(value)


def number_text(metric: MetricDef, value: float | None, currency: str | None) -> str:
    """A metric's value: sums exactly as stored, at least with the currency's decimals."""
    if value is None or is_missing(value):
        return ""
    places = 10 if metric.kind == "ratio" else 6
    whole, _, part = f"{value:.{places}f}".partition(".")
    least = display_decimals(currency) if metric.is_money and currency else 0
    part = part.rstrip("0").ljust(least, "0")
    return f"{whole}.{part}" if part else whole


def other_text(value: object) -> str:
    """Any other cell: a number in full, or text."""
    if is_missing(value):
        return ""
    if isinstance(value, float):
        return f"{value:.10f}".rstrip("0").rstrip(".")
    return str(value) if isinstance(value, int) else label_text(value)
