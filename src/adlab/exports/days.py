"""Days as files write them: ISO, or day and month in an order the file itself proves.

`1/2/2026` is two days. Unless some date of the column shows which number is the month, or a
mapping says so, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Literal

from adlab.core.errors import ImportRejectedError
from adlab.exports.problems import CellError

Order = Literal["iso", "day first", "month first"]

_MIDNIGHT = r"(?:[ T]00:00(?::00(?:\.0+)?)?(?:Z|\+00:00)?)?"
_ISO = re.compile(rf"(\d{{4}})([-/.]?)(\d{{2}})\2(\d{{2}}){_MIDNIGHT}", re.ASCII)
_LOCAL = re.compile(rf"(\d{{1,2}})([-/.]) ?(\d{{1,2}})\2 ?(\d{{4}}){_MIDNIGHT}", re.ASCII)
_SHORT = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}", re.ASCII)


def find_order(texts: Iterable[str], column: str) -> Order:
    """In which order day and month stand.

    Args:
        texts: The distinct texts of the column.
        column: Its header, for the message.

    Raises:
        ImportRejectedError: If they can be read both ways.
    """
    day_first = month_first = 0
    open_example = None
    for text in texts:
        found = _LOCAL.fullmatch(text)
        if found is None:
            continue
        one, two = int(found[1]), int(found[3])
        if one > 12 >= two:
            day_first += 1
        elif two > 12 >= one:
            month_first += 1
        elif one != two:
            open_example = open_example or found
    if day_first or month_first:
        return "day first" if day_first >= month_first else "month first"
    if open_example is None:
        return "iso"
    mark = open_example[2]
    raise ImportRejectedError(
        f"The dates of column {column!r} can be read two ways: {open_example[0]!r} may begin with "
        "the day or with the month, and no other date of the file tells which.",
        f'Say it in a mapping: date_format: "%d{mark}%m{mark}%Y" or "%m{mark}%d{mark}%Y".',
    )


def day_reader(order: Order, date_format: str | None) -> Callable[[object], date]:
    """A reader of day cells.

    Args:
        order: Order of day and month, when there is no format.
        date_format: `strptime` format of a mapping.

    Returns:
        A function from a cell to a day; it raises `CellError` with the reason.
    """
    known: dict[object, date] = {}

    def read(cell: object) -> date:
        if isinstance(cell, str):
            cell = cell.strip()
        day = known.get(cell)
        if day is None:
            day = _parse(cell, order, date_format)
            known[cell] = day
        return day

    return read


def _parse(cell: object, order: Order, date_format: str | None) -> date:
    if isinstance(cell, datetime):
        if cell.hour or cell.minute or cell.second:
            raise CellError("has a time of day; rows of whole days are needed")
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = str(cell if cell is not None else "").strip()
    if not text:
        raise CellError("is empty; every row needs its day")
    if date_format is not None:
        try:
            return datetime.strptime(text, date_format).date()
        except ValueError:
            raise CellError(f"is not a day written as {date_format!r}") from None
    if found := _ISO.fullmatch(text):
        return _day(int(found[1]), int(found[3]), int(found[4]))
    if found := _LOCAL.fullmatch(text):
        one, two, year = int(found[1]), int(found[3]), int(found[4])
        return _day(year, one, two) if order == "month first" else _day(year, two, one)
    if _SHORT.fullmatch(text):
        raise CellError("has a year of two digits; say in a mapping how to read it (date_format:)")
    if re.search(r"\d[T ]\d{1,2}:\d{2}", text):
        raise CellError("has a time of day; rows of whole days are needed")
    raise CellError("is not a day; write 2026-11-03, or say the format in a mapping (date_format:)")


def _day(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise CellError("is not a day of the calendar") from None
