"""A table on its way out: rows, the sums behind them, and where the numbers come from.

Boards and notebooks hand the same value to the same writers, so that a file of one reads like a
file of the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from adlab.core.metrics import MetricDef
from adlab.core.periods import DateRange

# Spreadsheets run text that begins with these as a formula.
_DANGEROUS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_BREAKS = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]")
# Reason: control characters end a sheet's XML, and a bidirectional override lets a name read as
# another; halves of surrogate pairs cannot be written at all.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Provenance:
    """What stands above the rows.

    Attributes:
        client: Whose numbers, in words.
        period: Days of the rows, or None when they have none.
        timezones: Calendars of the days.
        currencies: Currencies of the amounts.
        as_of: When Meta was last read (aware), or None.
        settled_through: The newest day Meta no longer restates, or "".
        filters: What was left out, in words.
        attribution: How conversions are credited.
        rates: Where converted amounts come from, or "".
    """

    client: str
    period: DateRange | None
    timezones: Sequence[str]
    currencies: Sequence[str]
    as_of: datetime | None
    settled_through: str
    filters: str
    attribution: str = "account default"
    rates: str = ""

    def lines(self) -> list[tuple[str, str]]:
        """Title and text of each line."""
        lines = [
            ("Client", self.client),
            ("Period", f"{self.period.since} to {self.period.until}" if self.period else ""),
            ("Timezone", ", ".join(self.timezones)),
            ("Currency", ", ".join(self.currencies)),
            ("As of", self.as_of.isoformat(timespec="seconds") if self.as_of else "unknown"),
            ("Settled through", self.settled_through),
            ("Attribution", self.attribution),
            ("Filter", self.filters),
        ]
        return [*lines, ("Converted", self.rates)] if self.rates else lines


@dataclass(frozen=True)
class Table:
    """Rows to write.

    Attributes:
        labels: What each row is: identifiers, names, dates; text or days.
        currencies: Currency of each row's money, or None where unknown.
        metrics: The metrics, in order.
        values: One column a metric; money in major units, rates as shares, NaN unknown.
        source: Where the numbers come from.
        parts: The sums the values were made of (`m_…`, `n_…`, `d_…`), or None when not known.
        more: Further number columns, written as they stand.
    """

    labels: pd.DataFrame
    currencies: Sequence[str | None]
    metrics: tuple[MetricDef, ...]
    values: pd.DataFrame
    source: Provenance
    parts: pd.DataFrame | None = None
    more: pd.DataFrame = field(default_factory=pd.DataFrame)

    def definitions(self) -> list[str]:
        """`roas: revenue / spend` for each ratio."""
        return [f"{m.name}: {m.formula}" for m in self.metrics if m.kind == "ratio"]


def plain(text: object) -> str:
    """Text on one line, without characters that control or mislead."""
    return _HARMFUL.sub("", _BREAKS.sub(" ", str(text)))


def safe(text: object) -> str:
    """Text no spreadsheet takes for a formula, for files that cannot say what is text."""
    flat = plain(text)
    return f"'{flat}" if flat.lstrip().startswith(_DANGEROUS) or flat != flat.lstrip() else flat


def is_missing(value: object) -> bool:
    """Whether a cell holds nothing: None, NaN or NaT."""
    return value is None or value is pd.NaT or value is pd.NA or value != value
