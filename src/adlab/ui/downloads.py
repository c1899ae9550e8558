"""The campaign table as a CSV file that says where its numbers come from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from adlab.core.entities import public_id
from adlab.core.metrics import METRICS
from adlab.core.periods import DateRange
from adlab.ui.address import METRICS as SHOWN
from adlab.ui.formats import is_known

# Spreadsheets run text that begins with these as a formula.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Provenance:
    """What stands above the rows."""

    client: str
    period: DateRange
    timezones: Sequence[str]
    currencies: Sequence[str]
    as_of: datetime | None
    settled_through: str
    filters: str
    attribution: str = "account default"


def safe(text: str) -> str:
    """Text no spreadsheet takes for a formula."""
    flat = text.replace("\r", " ").replace("\n", " ")
    return f"'{flat}" if flat.lstrip().startswith(_DANGEROUS) or flat != flat.lstrip() else flat


def campaigns_csv(rows: pd.DataFrame, source: Provenance) -> str:
    """Campaign rows with provenance lines above them.

    Args:
        rows: Indexed by the store's number: name, status, currency, then metric values.
        source: What the numbers are.

    Returns:
        Text with CRLF line ends and a byte-order mark, as spreadsheets like it. Money in major
        units, rates as shares; an empty cell is unknown, not zero.
    """
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    head = (
        ("Client", safe(source.client)),
        ("Period", f"{source.period.since} to {source.period.until}"),
        ("Timezone", ", ".join(source.timezones)),
        ("Currency", ", ".join(source.currencies)),
        ("As of", source.as_of.isoformat(timespec="seconds") if source.as_of else "unknown"),
        ("Settled through", source.settled_through),
        ("Attribution", source.attribution),
        ("Filter", safe(source.filters)),
    )
    for name, text in head:
        write((f"# {name}", text))
    write(("campaign_id", "campaign", "status", "currency", *SHOWN))
    for object_id, row in rows.iterrows():
        status = row["status"] if isinstance(row["status"], str) else ""
        write((
            public_id(int(object_id)), safe(row["name"]), safe(status), row["currency"],  # type: ignore[call-overload]
            *(_number(n, row[n]) for n in SHOWN),
        ))  # fmt: skip
    return "\ufeff" + out.getvalue()


def _number(name: str, value: float) -> str:
    if not is_known(value):
        return ""
    places = {"currency": 2, "count": 4, "share": 6, "ratio": 4}.get(METRICS[name].unit, 4)
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text and places != 2 else text
