"""The overview's table as a file: every client that passes the filter, a row a currency."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from adlab.core.metrics import metrics
from adlab.exports.tables import Provenance, Table
from adlab.exports.write_csv import write_csv
from adlab.exports.write_xlsx import write_xlsx
from adlab.ui.overview_address import OverviewAddress
from adlab.ui.overview_figures import Line, OverviewFigures
from adlab.ui.overview_table import Entry

WRITTEN = metrics(("spend", "roas", "link_ctr", "purchases"))
_UNKNOWN = float("nan")


def overview_file(
    kind: str, entries: Sequence[Entry], figures: OverviewFigures, address: OverviewAddress,
    now: datetime,
) -> str | bytes:  # fmt: skip
    """The rows as `csv` text or `xlsx` bytes, in the order given."""
    table = overview_table(entries, figures, address, now)
    return write_xlsx(table) if kind == "xlsx" else write_csv(table)


def overview_table(
    entries: Sequence[Entry], figures: OverviewFigures, address: OverviewAddress, now: datetime
) -> Table:
    """The rows ready to be written; a client without numbers has one row without any."""
    rows = [(e, line) for e in entries for line in (e.lines or (None,))]
    labels = pd.DataFrame(
        {
            "client": [e.state.name for e, _ in rows],
            "slug": [e.state.slug for e, _ in rows],
            "status": [e.standing.words for e, _ in rows],
            "last_day": [e.state.last_day for e, _ in rows],
            "last_sync": [_instant(e.state.checked_at) for e, _ in rows],
        },
        dtype=object,
    )
    values = pd.DataFrame({m.name: [_value(line, m.name) for _, line in rows] for m in WRITTEN})
    names = sorted({n for _, line in rows if line is not None for n in line.parts})
    parts = pd.DataFrame(
        [{} if line is None else dict(line.parts) for _, line in rows], columns=names, dtype=float
    )
    more = pd.DataFrame(
        {
            "spend_before": [_UNKNOWN if line is None else line.before for _, line in rows],
            "spend_change": [_change(line) for _, line in rows],
        },
        dtype=float,
    )
    currencies = [None if line is None else line.currency for _, line in rows]
    search = f"search {address.search!r}" if address.search else "no search"
    source = Provenance(
        f"{len(entries)} clients", figures.period,
        sorted({z for e in entries for z in e.state.timezones}),
        sorted({c for c in currencies if c}),
        min((e.state.checked_at for e in entries if e.state.checked_at), default=None), "",
        f"{search}, status {address.status}; compared with {figures.before.since} to "
        f"{figures.before.until}; written {now.isoformat(timespec='seconds')}",
    )  # fmt: skip
    return Table(labels, currencies, WRITTEN, values, source, parts, more)


def _value(line: Line | None, name: str) -> float:
    return _UNKNOWN if line is None else line.values.get(name, _UNKNOWN)


def _change(line: Line | None) -> float:
    return _UNKNOWN if line is None or line.change is None else line.change


def _instant(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""
