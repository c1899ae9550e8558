"""From the lines of a file to rows of insights, or to named problems."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from adlab.core.entities import Level
from adlab.exports.days import day_reader
from adlab.exports.headers import IDS, METRICS, MONEY, NAMES
from adlab.exports.layout import WHOLE, Layout, object_fields
from adlab.exports.numbers import is_missing
from adlab.exports.problems import CellError, Problem

KEPT_PROBLEMS = 1000
_ID = re.compile(r"(?:(?:cg|c|as|ag|a|act)[:_])?(\d{1,19})", re.ASCII)
_SHORTENED = re.compile(r"[\d.,]+[eE]\+?\d+")
_LARGEST_ID = 2**63 - 1


class FileRow(NamedTuple):
    """One good row.

    Attributes:
        line: Line of the file.
        day: Its day.
        names: Campaign, ad set and ad as far as the file names them; None otherwise.
        ids: Their Meta ids, likewise.
        account_id: Meta's account id, when the file has it.
        values: Metrics in the order of `headers.METRICS`, money in micro units; None when missing.
        digest: Checksum of the whole line, to recognise rows that stand there twice.
    """

    line: int
    day: date
    names: tuple[str | None, str | None, str | None]
    ids: tuple[int | None, int | None, int | None]
    account_id: int | None
    values: tuple[int | float | None, ...]
    digest: int


@dataclass
class Findings:
    """What reading found, complete once the rows are exhausted."""

    good: int = 0
    bad: int = 0
    problems: list[Problem] = field(default_factory=list)


def read_rows(
    layout: Layout,
    currency: str | None,
    first_day: date,
    last_day: date,
    findings: Findings,
    reject: Callable[[list[Any], int, str], None] = lambda cells, line, reason: None,
) -> Iterator[FileRow]:
    """Every good row of a file.

    Args:
        layout: How to read it.
        currency: Whose symbol may stand beside amounts.
        first_day: Oldest day the store keeps.
        last_day: Today in the file's timezone.
        findings: Counts and problems, filled while reading; at most `KEPT_PROBLEMS` are kept.
        reject: Called with the cells, line and reasons of each bad row.
    """
    read = _RowReader(layout, currency, first_day, last_day)
    for line, cells in layout.body():
        row, problems = read(line, cells)
        if problems:
            findings.bad += 1
            findings.problems.extend(problems[: KEPT_PROBLEMS - len(findings.problems)])
            reject(cells, line, "; ".join(f"{p.column or 'row'} {p.reason}" for p in problems))
        elif row is not None:
            findings.good += 1
            yield row


class _RowReader:
    def __init__(
        self, layout: Layout, currency: str | None, first_day: date, last_day: date
    ) -> None:
        style, columns = layout.style, layout.columns
        self._layout = layout
        self._width = len(layout.headers)
        self._padded = layout.table.kind == "xlsx"
        self._first, self._last = first_day, last_day
        self._date = columns["date"]
        self._day = day_reader(layout.order, layout.date_format)
        self._readers: list[tuple[int, int, Callable[[Any], int | float | None]]] = []
        for position, name in enumerate(METRICS):
            if name in columns:
                if name in MONEY:
                    reader: Callable[[Any], int | float | None] = style.money(
                        currency, exact=name == "spend"
                    )
                else:
                    reader = style.whole if name in WHOLE else style.count
                self._readers.append((position, columns[name], reader))
        # Reason: rows of a campaign file may carry ad names too; below the level they do not count.
        depth = 0 if layout.level is Level.ACCOUNT else int(layout.level) - int(Level.CAMPAIGN) + 1
        self._names = [columns.get(n) for n in NAMES[:depth]]
        self._ids = [columns.get(n) for n in IDS[:depth]]
        self._blanks: tuple[None, ...] = (None,) * (3 - depth)
        self._account = columns.get("account_id")
        self._object = object_fields(layout.level)
        self._key = [columns[f] for f in self._object or () if f in columns]

    def __call__(self, line: int, cells: list[Any]) -> tuple[FileRow | None, list[Problem]]:
        problems: list[Problem] = []
        if len(cells) != self._width:
            if len(cells) > self._width and not any(
                str(c or "").strip() for c in cells[self._width :]
            ):
                cells = cells[: self._width]
            elif self._padded and len(cells) < self._width:
                cells = [*cells, *([None] * (self._width - len(cells)))]
            else:
                text = " ".join(str(c) for c in cells)[:80]
                reason = f"has {len(cells)} cells, and the header has {self._width}"
                return None, [Problem(line, "", text, reason)]
        day = self._read(line, self._date, cells, self._read_day, problems)
        names = [None if i is None else _name(cells[i]) for i in self._names]
        ids = [
            None if i is None else self._read(line, i, cells, _identifier, problems)
            for i in self._ids
        ]
        if self._key and all(is_missing(cells[i]) for i in self._key):
            reason = f"is empty; the row names no {self._layout.level.word}"
            problems.append(Problem(line, self._layout.headers[self._key[0]], "", reason))
        for name in names:
            if name is not None and "\x00" in name:
                problems.append(Problem(line, "", name[:40], "holds a zero character"))
        values: list[int | float | None] = [None] * len(METRICS)
        for position, index, reader in self._readers:
            try:
                values[position] = reader(cells[index])
            except CellError as error:
                problems.append(self._problem(line, index, cells[index], error))
        account = None
        if self._account is not None:
            account = self._read(line, self._account, cells, _identifier, problems)
        if problems or day is None:
            return None, problems
        digest = zlib.crc32("\x1f".join(map(str, cells)).encode("utf-8", "replace"))
        return (
            FileRow(
                line, day, (*names, *self._blanks), (*ids, *self._blanks),  # type: ignore[arg-type]
                account, tuple(values), digest,
            ),
            problems,
        )  # fmt: skip

    def _read(
        self,
        line: int,
        index: int,
        cells: list[Any],
        reader: Callable[[Any], Any],
        problems: list[Problem],
    ) -> Any:
        try:
            return reader(cells[index])
        except CellError as error:
            problems.append(self._problem(line, index, cells[index], error))
            return None

    def _problem(self, line: int, index: int, cell: Any, error: CellError) -> Problem:
        value = "" if cell is None else str(cell)
        return Problem(line, self._layout.headers[index], value[:80], str(error))

    def _read_day(self, cell: Any) -> date:
        day = self._day(cell)
        if day > self._last:
            raise CellError(f"is in the future; today is {self._last} in the file's timezone")
        if day < self._first:
            raise CellError(f"is older than the store keeps; its first day is {self._first}")
        return day


def _name(cell: Any) -> str | None:
    if is_missing(cell):
        return None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def _identifier(cell: Any) -> int | None:
    """Meta's id of an object.

    Raises:
        CellError: If it is none, or a spreadsheet has cut its digits.
    """
    if is_missing(cell):
        return None
    cut = "lost its last digits in a spreadsheet; format the column as text and export again"
    if isinstance(cell, float):
        if not cell.is_integer():
            raise CellError("is not an id of digits")
        cell = int(cell)
    if isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) >= 10**15:
        # Reason: spreadsheets keep 15 digits of a number, and Meta's ids have up to 18.
        raise CellError(cut)
    text = str(cell).strip().strip("'\"=")
    found = _ID.fullmatch(text)
    if found is None:
        if _SHORTENED.fullmatch(text):
            raise CellError(cut)
        raise CellError("is not an id of digits; if it is a name, map it as a name")
    number = int(found[1])
    if not 0 < number <= _LARGEST_ID:
        raise CellError("is not an id Meta gives")
    return number
