"""Which column of a file is what: from a mapping, or from the headers of an Ads Manager export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adlab.core.entities import Level
from adlab.core.errors import ImportRejectedError
from adlab.exports.days import Order, find_order
from adlab.exports.files import Row, Table, open_table
from adlab.exports.headers import IDS, METRICS, MONEY, NAMES, currency_of, key, recognise
from adlab.exports.mapping import Mapping
from adlab.exports.numbers import NumberStyle, StyleFinder, is_missing

WHOLE = ("impressions", "reach", "clicks", "link_clicks")
_TOTAL_WORDS = (
    "total", "gesamt", "summe", "result", "ergebn", "résultat", "resultad", "risultat", "totaal",
    "totale", "media", "moyenne", "promedio", "average", "durchschnitt", "gemiddeld",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How to read the rows of one file.

    Attributes:
        table: The file.
        header_line: Line of the header row.
        headers: The header row.
        columns: Field → index of its column.
        level: Level the rows are read at.
        currencies: Currencies the file itself names, with where.
        date_format: Of a mapping.
        order: Order of day and month, when there is no format.
        style: Notation of the numbers.
        totals: Lines that are totals of the others, and are left out.
        rows: How many rows follow the header, totals included.
    """

    table: Table
    header_line: int
    headers: tuple[str, ...]
    columns: dict[str, int]
    level: Level
    currencies: dict[str, str] = field(default_factory=dict)
    date_format: str | None = None
    order: Order = "iso"
    style: NumberStyle = field(default_factory=NumberStyle)
    totals: tuple[int, ...] = ()
    rows: int = 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics the file has, in the registry's order."""
        return tuple(m for m in METRICS if m in self.columns)

    def header(self, name: str) -> str:
        """The file's header for a field."""
        return self.headers[self.columns[name]]

    def fingerprint(self) -> dict[str, Any]:
        """Everything that decides how the file is read, for telling two imports apart."""
        return {
            "level": self.level.word,
            "columns": {f: self.header(f) for f in sorted(self.columns)},
            "delimiter": self.table.delimiter,
            "sheet": self.table.sheet,
            "date_format": self.date_format or self.order,
            "decimal": self.style.decimal,
            "thousands": self.style.thousands,
        }

    def body(self) -> Iterator[Row]:
        """The rows after the header, without totals."""
        left_out = frozenset(self.totals)
        for line, cells in self.table.rows():
            if line > self.header_line and line not in left_out:
                yield line, cells


def read_layout(path: Path, mapping: Mapping | None = None, level: Level | None = None) -> Layout:
    """Open a file and decide what its columns are.

    Args:
        path: CSV or XLSX.
        mapping: How to read it; without columns, headers of Ads Manager are recognised.
        level: Level wanted, before what the mapping says and the columns allow.

    Raises:
        ImportRejectedError: If a needed column is missing, rows span several days, or dates or
            numbers can be read two ways.
    """
    mapping = mapping or Mapping()
    wanted = {key(h) for h in mapping.columns.values()}

    def score(cells: list[Any]) -> int:
        if wanted:
            return sum(1 for c in cells if key(c) in wanted)
        return len(recognise([str(c or "") for c in cells]))

    table = open_table(path, score, mapping.delimiter)
    head = table.head()
    if not head:
        raise ImportRejectedError(f"{path.name} holds no rows.", "Export it again.")
    # Reason: some tools put a title above the header; the row with most known headers is it.
    line, cells = max(head, key=lambda row: score(row[1]))
    headers = tuple(" ".join(str(c if c is not None else "").split()) for c in cells)
    columns = _mapped(headers, mapping) if mapping.columns else _recognised(headers)
    layout = Layout(
        table, line, headers, columns, _level(headers, columns, level or mapping.level),
        currencies={
            code: headers[i] for m, i in columns.items()
            if m in MONEY and (code := currency_of(headers[i]))
        },
        date_format=mapping.date_format,
    )  # fmt: skip
    return _survey(layout, mapping)


def _listing(headers: Iterable[str]) -> str:
    return ", ".join(repr(h) for h in headers if h) or "none"


def _mapped(headers: tuple[str, ...], mapping: Mapping) -> dict[str, int]:
    keys = [key(h) for h in headers]
    columns = {}
    for name, header in mapping.columns.items():
        places = [i for i, k in enumerate(keys) if k == key(header)]
        if not places:
            raise ImportRejectedError(
                f"The mapping names the header {header!r} for {name}, and the file has none of "
                "that name.",
                f"Headers in the file: {_listing(headers)}.",
            )
        if len(places) > 1:
            raise ImportRejectedError(
                f"The header {header!r} (for {name}) stands {len(places)} times in the file.",
                "Rename one of them, so that it is clear which column is meant.",
            )
        columns[name] = places[0]
    known = recognise(headers)
    if known.get("starts") == columns["date"] and "ends" in known:
        columns["ends"] = known["ends"]
    if "currency" in known and known["currency"] not in columns.values():
        columns["currency"] = known["currency"]
    return columns


def _recognised(headers: tuple[str, ...]) -> dict[str, int]:
    columns = recognise(headers)
    starts, ends = columns.pop("starts", None), columns.pop("ends", None)
    if "date" not in columns and starts is not None:
        columns["date"] = starts
        if ends is not None:
            columns["ends"] = ends
    advice = (
        f"Headers in the file: {_listing(headers)}. For an Ads Manager export add the breakdown "
        "by day; for another file say which header is what in a mapping (--map FILE.yaml)."
    )
    if "date" not in columns:
        raise ImportRejectedError("The file has no column with the day of each row.", advice)
    if not any(m in columns for m in METRICS):
        raise ImportRejectedError("The file has no column with a number adlab knows.", advice)
    keys = [key(h) for h in headers]
    for name, index in columns.items():
        if keys.count(keys[index]) > 1:
            raise ImportRejectedError(
                f"The header {headers[index]!r} (for {name}) stands more than once in the file.",
                "Export it without the second one, or rename it.",
            )
    return columns


def _level(headers: tuple[str, ...], columns: dict[str, int], asked: Level | None) -> Level:
    depths = (Level.CAMPAIGN, Level.AD_SET, Level.AD)
    there = [
        depth for depth, name, id_ in zip(depths, NAMES, IDS, strict=True)
        if name in columns or id_ in columns
    ]  # fmt: skip
    if asked is None:
        return there[-1] if there else Level.ACCOUNT
    if asked is not Level.ACCOUNT and asked not in there:
        raise ImportRejectedError(
            f"Level {asked.word} needs a column with the {asked.word}'s name or id.",
            f"Headers in the file: {_listing(headers)}. Name it in the mapping, or leave the "
            "level out.",
        )
    return asked


def object_fields(level: Level) -> tuple[str, str] | None:
    """The name and id fields of a level's objects; None for the account."""
    if level is Level.ACCOUNT:
        return None
    place = int(level) - int(Level.CAMPAIGN)
    return NAMES[place], IDS[place]


def _survey(layout: Layout, mapping: Mapping) -> Layout:
    """Go through the file once: totals, spans of days, notation of dates and numbers."""
    dates: dict[str, None] = {}
    numbers = StyleFinder()
    watched = [(layout.columns[m], m in WHOLE) for m in layout.metrics]
    auto_number = mapping.decimal is None and mapping.thousands not in (".", ",")
    day, ends = layout.columns["date"], layout.columns.get("ends")
    first = last = None
    count = 0
    totals: list[int] = []
    currencies = dict(layout.currencies)
    for line, cells in layout.table.rows():
        if line <= layout.header_line:
            continue
        count += 1
        last = (line, cells)
        if first is None:
            first = last
            if _is_total(layout, cells):
                totals.append(line)
                continue
        if len(cells) <= day or _is_blank(layout, cells):
            continue
        if ends is not None and len(cells) > ends:
            _refuse_span(layout, line, cells[day], cells[ends])
        text = cells[day]
        if mapping.date_format is None and isinstance(text, str) and len(dates) < 20_000:
            dates.setdefault(text.strip())
        if auto_number:
            for index, whole in watched:
                if index < len(cells):
                    numbers.see(cells[index], whole)
        if (place := layout.columns.get("currency")) is not None and place < len(cells):
            code = str(cells[place] or "").strip().upper()
            if code:
                currencies.setdefault(code, layout.headers[place])
    if last is not None and last is not first and _is_total(layout, last[1]):
        totals.append(last[0])
    if count - len(totals) < 1:
        raise ImportRejectedError(
            f"{layout.table.path.name} has a header and no rows.", "Export a period with delivery."
        )
    decimal = (
        mapping.decimal or {".": ",", ",": "."}.get(mapping.thousands or "") or numbers.settle()
    )
    return Layout(
        layout.table, layout.header_line, layout.headers, layout.columns, layout.level, currencies,
        layout.date_format,
        "iso" if mapping.date_format else find_order(dates, layout.header("date")),
        NumberStyle(decimal, mapping.thousands), tuple(totals), count,
    )  # fmt: skip


def _is_blank(layout: Layout, cells: list[Any]) -> bool:
    """Whether a row names no object, so that it cannot be a row of data."""
    fields = object_fields(layout.level)
    return fields is not None and all(_empty(cells, layout.columns.get(f)) for f in fields)


def _empty(cells: list[Any], index: int | None) -> bool:
    return index is None or index >= len(cells) or is_missing(cells[index])


def _is_total(layout: Layout, cells: list[Any]) -> bool:
    """Whether a first or last row is a summary: no object, or no day and a total's name."""
    no_day = _empty(cells, layout.columns["date"])
    if _is_blank(layout, cells):
        return no_day or "ends" in layout.columns
    if not no_day:
        return False
    names = [str(cells[i] or "").strip().lower() for f in NAMES
             if (i := layout.columns.get(f)) is not None and i < len(cells)]  # fmt: skip
    return layout.level is Level.ACCOUNT or any(n.startswith(_TOTAL_WORDS) for n in names)


def _refuse_span(layout: Layout, line: int, start: Any, end: Any) -> None:
    if is_missing(end) or is_missing(start):
        return
    one, two = (str(v).strip()[:10] for v in (start, end))
    if one != two:
        raise ImportRejectedError(
            f"Line {line} covers several days ({one} to {two}), and adlab stores days.",
            "Export it again with the breakdown by day (Breakdown, By time, Day).",
        )
