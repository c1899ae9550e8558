"""Exchange rates from a CSV file: wide as the ECB publishes them, or one rate a line.

Wide is `Date,USD,JPY,…`: units of each currency for one unit of the base, `N/A` where there is
none. Long is `date,base,quote,rate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from adlab.core.errors import ImportRejectedError
from adlab.core.money import check_currency
from adlab.exports.files import open_table
from adlab.exports.problems import CellError, Problem

_GAPS = frozenset({"", "n/a", "na", "-", "–"})
_LONG = {"date", "base", "quote", "rate"}
_LARGEST = Decimal(10) ** 12
_FINEST = Decimal("1e-12")


@dataclass(frozen=True)
class FileRate:
    """One unit of `base` is `rate` units of `quote` on that day."""

    day: date
    base: str
    quote: str
    rate: Decimal
    line: int


def read_rates(path: Path, base: str = "EUR") -> list[FileRate]:
    """Every rate of a file, in its order.

    Args:
        path: A CSV file.
        base: What one unit of which is priced, for the wide shape.

    Raises:
        ImportRejectedError: If the file or any line of it cannot be read; `problems` has them all.
        ValueError: If `base` is not a currency code.
    """
    wanted = check_currency(base)
    table = open_table(path, _known)
    if table.kind != "csv":
        raise ImportRejectedError(f"{path.name} is no CSV file.", "Save it as CSV.")
    rows = table.rows()
    line, cells = next(rows, (1, []))
    head = [str(c).strip() for c in cells]
    problems: list[Problem] = []
    if set(_lower(head)) >= _LONG:
        found = list(_long(_lower(head), rows, problems))
    else:
        found = list(_wide(line, head, wanted, rows, problems))
    found = _once(found, problems)
    if problems:
        raise ImportRejectedError(
            f"{path.name} has {len(problems)} bad cell{'s' if len(problems) != 1 else ''}; "
            "nothing was stored.",
            "Correct them and load the file again.", tuple(problems),
        )  # fmt: skip
    if not found:
        raise ImportRejectedError(
            f"{path.name} holds no rate.",
            "It needs Date,USD,JPY,… (wide) or date,base,quote,rate (long) with lines below.",
        )
    return found


def _known(row: Sequence[object]) -> int:
    """How many cells look like a head of ours."""
    words = [str(c).strip() for c in row]
    return sum(w.casefold() in _LONG or (len(w) == 3 and w.isalpha()) for w in words)


def _lower(head: Sequence[str]) -> list[str]:
    return [h.casefold() for h in head]


def _wide(
    line: int, head: list[str], base: str, rows: Iterator[tuple[int, list[object]]],
    problems: list[Problem],
) -> Iterator[FileRate]:  # fmt: skip
    if not head or head[0].casefold() != "date":
        raise ImportRejectedError(
            f"The first column is {head[0]!r}, not Date." if head else "The file is empty.",
            "Use Date,USD,JPY,… (wide, as the ECB publishes) or date,base,quote,rate (long).",
        )
    quotes: dict[int, str] = {}
    for place, name in enumerate(head[1:], 1):
        try:
            if name:
                quotes[place] = _currency(name)
                if quotes[place] == base:
                    raise CellError("is the base itself")
        except CellError as error:
            problems.append(Problem(line, name, name, str(error)))
    for number, cells in rows:
        try:
            day = _day(cells[0])
        except CellError as error:
            problems.append(Problem(number, head[0], str(cells[0]), str(error)))
            continue
        extra = [str(c) for c in cells[len(head) :] if str(c).strip()]
        if extra:
            problems.append(Problem(number, "", extra[0], "stands beyond the last column"))
        for place, quote in quotes.items():
            text = str(cells[place]).strip() if place < len(cells) else ""
            if text.casefold() in _GAPS:
                continue
            try:
                yield FileRate(day, base, quote, _rate(text), number)
            except CellError as error:
                problems.append(Problem(number, quote, text, str(error)))


def _long(
    head: list[str], rows: Iterator[tuple[int, list[object]]], problems: list[Problem]
) -> Iterator[FileRate]:  # fmt: skip
    places = {name: head.index(name) for name in _LONG}
    readers = {"date": _day, "base": _currency, "quote": _currency, "rate": _rate}
    for number, cells in rows:
        read: dict[str, object] = {}
        for name, reader in readers.items():
            text = str(cells[places[name]]).strip() if places[name] < len(cells) else ""
            try:
                read[name] = reader(text)
            except CellError as error:
                problems.append(Problem(number, name, text, str(error)))
        if len(read) < len(readers):
            continue
        if read["base"] == read["quote"]:
            problems.append(Problem(number, "quote", str(read["quote"]), "is the base itself"))
            continue
        yield FileRate(read["date"], read["base"], read["quote"], read["rate"], number)  # type: ignore[arg-type]


def _once(found: list[FileRate], problems: list[Problem]) -> list[FileRate]:
    seen: dict[tuple[date, str, str], FileRate] = {}
    for r in found:
        first = seen.setdefault((r.day, r.base, r.quote), r)
        if first.rate != r.rate:
            problems.append(
                Problem(r.line, r.quote, str(r.rate), f"differs from {first.rate} on line "
                        f"{first.line} for the same day and pair")
            )  # fmt: skip
    return list(seen.values())


def _currency(text: object) -> str:
    try:
        return check_currency(str(text))
    except ValueError:
        raise CellError("is not a currency code; use three letters, such as USD") from None


def _day(text: object) -> date:
    words = str(text).strip()
    try:
        return date.fromisoformat(words)
    except ValueError:
        pass
    try:
        # Reason: the ECB's file of one day writes "20 November 2026".
        return datetime.strptime(words, "%d %B %Y").date()
    except ValueError:
        raise CellError("is not a day; write it as 2026-11-20") from None


def _rate(text: object) -> Decimal:
    try:
        value = Decimal(str(text).strip())
    except InvalidOperation:
        raise CellError("is not a rate; use digits and a decimal point") from None
    if not value.is_finite() or not _FINEST <= value < _LARGEST:
        raise CellError("is not a rate above zero and below a million million")
    return value.quantize(_FINEST)
