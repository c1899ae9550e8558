"""Frames as files: CSV with provenance, XLSX with live ratios, Parquet."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adlab.core.errors import DataError
from adlab.core.metrics import METRICS
from adlab.core.periods import DateRange
from adlab.exports.tables import Provenance, Table
from adlab.exports.write_csv import head_lines, write_csv
from adlab.exports.write_xlsx import write_xlsx
from adlab.services.insights import values
from adlab.workbench.frames import InsightsFrame, Parts

PathLike = str | os.PathLike[str]


def export(frame: pd.DataFrame, path: PathLike) -> Path:
    """Write a frame to a file whose ending says what it is.

    Args:
        frame: What `lab.insights()` returned, rows or columns of it, or its `by()` and `top()`.
        path: Ends in `.csv`, `.xlsx` or `.parquet`; a file of that name is replaced.

    Returns:
        The path written.

    Raises:
        ValueError: If the ending is none of these.
    """
    target = Path(path)
    writers: dict[str, Callable[[], bytes]] = {
        ".csv": lambda: write_csv(table_of(frame)).encode(),
        ".xlsx": lambda: write_xlsx(t := table_of(frame), live_ratios=t.parts is not None),
        ".parquet": lambda: _parquet(frame),
    }
    writer = writers.get(target.suffix.lower())
    if writer is None:
        raise ValueError(f"{target.name!r} ends in none of {', '.join(writers)}")
    target.write_bytes(writer())
    return target


def csv_text(frame: pd.DataFrame, mark: bool, **options: Any) -> str:
    """A frame as CSV text with provenance lines; pandas' own options make pandas write the rows."""
    table = table_of(frame)
    if not options:
        return write_csv(table, mark=mark)
    body = pd.DataFrame(frame).to_csv(None, **options)
    return ("\ufeff" if mark else "") + head_lines(table.source, table.definitions()) + str(body)


def table_of(frame: pd.DataFrame) -> Table:
    """A frame ready to be written, with its sums where it still knows them."""
    plain = pd.DataFrame(frame)
    if not isinstance(plain.index, pd.RangeIndex):
        plain = plain.reset_index()
    plain.columns = [str(c) for c in plain.columns]
    wanted = tuple(METRICS[c] for c in plain.columns if c in METRICS)
    numeric = [c for c in plain.columns if pd.api.types.is_numeric_dtype(plain[c])]
    labels = [c for c in plain.columns if c not in METRICS and c not in numeric and c != "currency"]
    parts, currencies = _parts(frame)
    if currencies is None:
        named = plain["currency"].tolist() if "currency" in plain else None
        one = frame.attrs.get("currency")
        currencies = named or [one if isinstance(one, str) else None] * len(plain)
    return Table(
        plain[labels], currencies, wanted, plain[[m.name for m in wanted]],
        provenance(frame.attrs), parts, plain[[c for c in numeric if c not in METRICS]],
    )  # fmt: skip


def _parts(frame: pd.DataFrame) -> tuple[pd.DataFrame | None, list[str | None] | None]:
    if not isinstance(frame, InsightsFrame):
        return None, None
    try:
        parts, sums, labels = frame._own()
    except DataError:
        return None, None
    currencies = [c if isinstance(c, str) else None for c in labels["currency"]]
    return (sums if _unchanged(frame, parts, sums) else None), currencies


def _unchanged(frame: InsightsFrame, parts: Parts, sums: pd.DataFrame) -> bool:
    """Whether the metrics still are what their sums give: nobody wrote into the frame."""
    if len(sums) != len(frame):
        return False
    made = values(sums, parts.metrics)
    return all(
        np.array_equal(made[m.name].to_numpy(float), frame[m.name].to_numpy(float), equal_nan=True)
        for m in parts.metrics
    )


def provenance(attrs: dict[Any, Any]) -> Provenance:
    """What the attributes of a frame say about its numbers."""
    since, until = attrs.get("since"), attrs.get("until")
    currency = attrs.get("currency")
    fx = attrs.get("fx") or {}
    return Provenance(
        client=", ".join(attrs.get("clients", [])),
        period=DateRange(date.fromisoformat(since), date.fromisoformat(until))
        if since and until
        else None,
        timezones=attrs.get("timezone", []),
        currencies=[currency] if isinstance(currency, str) else (currency or []),
        as_of=datetime.fromisoformat(attrs["as_of"]) if attrs.get("as_of") else None,
        settled_through=attrs.get("settled_through") or "",
        filters=attrs.get("filters") or "none",
        attribution=str(attrs.get("attribution", "account_default")).replace("_", " "),
        rates=fx.get("note", ""),
    )


def _parquet(frame: pd.DataFrame) -> bytes:
    plain = pd.DataFrame(frame)
    plain.attrs = dict(frame.attrs)
    written: bytes = plain.to_parquet(None)
    return written
