"""The overview's table of clients: searched, filtered, sorted and cut into pages on the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from adlab.core.metrics import METRICS
from adlab.ui.address import SIZE
from adlab.ui.formats import MISSING, ago, day, is_known, percent, show
from adlab.ui.overview_address import SORTS, OverviewAddress
from adlab.ui.overview_figures import Line, OverviewFigures
from adlab.ui.standing import FILTERS, ClientState, Standing, standing_of
from adlab.ui.table import ENOUGH, Head, fold
from adlab.ui.tiles import HEIGHT, WIDTH, path

_LABELS = {
    "name": "Client", "status": "Status", "spend": "Spend", "change": "vs before", "roas": "ROAS",
    "link_ctr": "CTR (link)", "purchases": "Purchases", "last_day": "Last day",
    "checked": "Last sync",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A client with everything the table may ask of it."""

    state: ClientState
    standing: Standing
    lines: tuple[Line, ...]

    @property
    def main(self) -> Line | None:
        """The line it is sorted by: its largest; amounts of other currencies stand below."""
        known = [line for line in self.lines if is_known(line.spend)]
        return max(known, key=lambda line: line.spend, default=None)


@dataclass(frozen=True)
class Cell:
    """Numbers of one client, a line a currency; `soft` where too little stands behind one."""

    name: str
    lines: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Spark:
    """Spend per day: the days before, softly, and the days shown."""

    before: str
    now: str


@dataclass(frozen=True)
class Row:
    """One client.

    Attributes:
        slug: For the address of its board.
        name: Its name, unescaped.
        standing: How it stands.
        cells: Its numbers.
        sparks: Spend per day, one a currency.
        last_day: Its newest day with numbers.
        checked: When it was last read, in words.
        checked_at: The same as an ISO instant, or "".
    """

    slug: str
    name: str
    standing: Standing
    cells: tuple[Cell, ...]
    sparks: tuple[Spark, ...]
    last_day: str
    checked: str
    checked_at: str


@dataclass(frozen=True)
class ClientTable:
    """One page of the table; see `table.Table`."""

    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    count: int
    all: int
    page: int
    pages: int
    first: int
    last: int
    previous: str
    next: str


def entries_of(
    states: Sequence[ClientState], figures: OverviewFigures | None, now: datetime
) -> list[Entry]:
    """Clients with how they stand and, where they are known already, their numbers."""
    lines = figures.lines if figures is not None else {}
    return [Entry(s, standing_of(s, now), lines.get(s.client_id, ())) for s in states]


def pick(entries: Sequence[Entry], address: OverviewAddress) -> list[Entry]:
    """Entries that pass search and status, in order."""
    kinds = FILTERS[address.status][1]
    needle = fold(address.search)
    found = [
        e for e in entries
        if e.standing.kind in kinds and needle in fold(f"{e.state.name} {e.state.slug}")
    ]  # fmt: skip
    return _sort(found, address.sort)


def _sort(entries: list[Entry], sort: str) -> list[Entry]:
    column, down = sort.lstrip("-"), sort.startswith("-")
    named = sorted(entries, key=lambda e: fold(e.state.name))
    if column == "name":
        return named[::-1] if down else named
    if column == "status":
        spent = _sort(named, "-spend")
        return sorted(spent, key=lambda e: e.standing.kind != "attention", reverse=down)
    known = [e for e in named if _key(e, column) is not None]
    unknown = [e for e in named if _key(e, column) is None]
    known.sort(key=lambda e: _key(e, column), reverse=down)  # type: ignore[arg-type,return-value]
    if column == "spend":
        # Reason: amounts in different currencies have no order among themselves.
        known.sort(key=lambda e: e.main.currency if e.main else "")
    return [*known, *unknown]


def _key(entry: Entry, column: str) -> float | None:
    if column == "last_day":
        on: date | None = entry.state.last_day
        return None if on is None else float(on.toordinal())
    if column == "checked":
        at = entry.state.checked_at
        return None if at is None else at.timestamp()
    if entry.main is None:
        return None
    value = entry.main.change if column == "change" else entry.main.values.get(column)
    return value if value is not None and is_known(value) else None


def make_client_table(
    entries: Sequence[Entry], address: OverviewAddress, now: datetime
) -> ClientTable:
    """The page of the table that the address asks for."""
    found = pick(entries, address)
    pages = max(1, -(-len(found) // SIZE))
    page = min(address.page, pages)
    start = (page - 1) * SIZE
    shown = found[start : start + SIZE]
    return ClientTable(
        heads=_heads(address), rows=tuple(_row(e, now) for e in shown),
        count=len(found), all=len(entries), page=page, pages=pages,
        first=start + 1 if found else 0, last=start + len(shown),
        previous=address.link(page=page - 1) if page > 1 else "",
        next=address.link(page=page + 1) if page < pages else "",
    )  # fmt: skip


def _heads(address: OverviewAddress) -> tuple[Head, ...]:
    column, down = address.sort.lstrip("-"), address.sort.startswith("-")
    return tuple(
        Head(name, _LABELS[name], address.sorted_by(name),
             "none" if name != column else "descending" if down else "ascending")
        for name in SORTS
    )  # fmt: skip


def _row(entry: Entry, now: datetime) -> Row:
    state = entry.state
    lines = sorted(entry.lines, key=lambda line: line is not entry.main)
    cells = tuple(
        Cell(name, tuple(_cell(line, name) for line in lines) or ((MISSING, True),))
        for name in ("spend", "change", "roas", "link_ctr", "purchases")
    )
    return Row(
        slug=state.slug, name=state.name, standing=entry.standing, cells=cells,
        sparks=tuple(_spark(line) for line in lines),
        last_day=day(state.last_day, year=(now.date() - state.last_day).days > 300)
        if state.last_day else MISSING,
        checked=ago(state.checked_at, now) if state.checked_at else MISSING,
        checked_at=state.checked_at.isoformat() if state.checked_at else "",
    )  # fmt: skip


def _cell(line: Line, name: str) -> tuple[str, bool]:
    if name == "change":
        if line.change is None:
            return MISSING, True
        arrow = "▲" if line.change > 0.0005 else "▼" if line.change < -0.0005 else "■"
        return f"{arrow} {percent(line.change)}", True
    value = line.values.get(name)
    text = show(METRICS[name], value, line.currency)
    events = {"roas": "purchases", "link_ctr": "link_clicks"}.get(name)
    seen = line.values.get(events, float("nan")) if events else float("nan")
    few = events is not None and not (is_known(seen) and seen >= ENOUGH)
    return text, few or not is_known(value)


def _spark(line: Line) -> Spark:
    values = np.array([*line.days_before, *line.days], dtype=float)
    known = values[~np.isnan(values)]
    if len(known) < 2 or known.max() <= 0:
        return Spark("", "")
    x = np.linspace(1, WIDTH - 1, len(values))
    y = HEIGHT - 2 - values / known.max() * (HEIGHT - 4)
    cut = len(line.days_before)
    return Spark(path(x[: cut + 1], y[: cut + 1]), path(x[cut:], y[cut:]))
