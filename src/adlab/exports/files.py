"""Open a file of rows: CSV in whatever encoding, line ends and delimiter, or XLSX.

A `Table` can be read several times and never holds more than a row.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import itertools
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from adlab.core.errors import ImportRejectedError

# Reason: an unclosed quote makes one cell of the rest of the file; names never come near this.
csv.field_size_limit(131_072)

Row = tuple[int, list[Any]]
HEAD_ROWS = 20
_CANDIDATES = (",", ";", "\t", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Table:
    """A file whose rows can be read.

    Attributes:
        path: Where it is.
        sha256: Of its bytes.
        kind: `csv` or `xlsx`.
        encoding: Of a CSV.
        delimiter: Of a CSV.
        sheet: Name of the sheet, of an XLSX.
    """

    path: Path
    sha256: str
    kind: str
    encoding: str = ""
    delimiter: str = ","
    sheet: str = ""

    def rows(self) -> Iterator[Row]:
        """Every row that is not blank, with its line number.

        Raises:
            ImportRejectedError: If the file is malformed (quotes that never close).
        """
        return self._sheet_rows() if self.kind == "xlsx" else self._csv_rows()

    def _csv_rows(self) -> Iterator[Row]:
        with self.path.open(encoding=self.encoding, newline="") as file:
            line = 1
            try:
                skipped = _skip_hint(file)
                reader = csv.reader(file, delimiter=self.delimiter, strict=True)
                line += skipped
                for cells in reader:
                    if any(c.strip() for c in cells):
                        yield line, cells
                    line = skipped + reader.line_num + 1
            except csv.Error as error:
                raise ImportRejectedError(
                    f"{self.path.name} is not well-formed from line {line} on: {error}.",
                    "A quote there never closes, or stands inside a cell; export again.",
                ) from None
            except UnicodeDecodeError:
                raise ImportRejectedError(
                    f"{self.path.name} is not text in {self.encoding} from line {line} on.",
                    "Save it as UTF-8.",
                ) from None

    def _sheet_rows(self) -> Iterator[Row]:
        with _open_book(self.path) as book:
            sheet = book[self.sheet]
            # Reason: some writers state dimensions that are too small, and rows would be lost.
            sheet.reset_dimensions()
            for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                if any(c is not None and str(c).strip() for c in cells):
                    yield line, list(cells)

    def head(self, count: int = HEAD_ROWS) -> list[Row]:
        """The first rows that are not blank."""
        return list(itertools.islice(self.rows(), count))


def open_table(
    path: Path, score: Callable[[list[Any]], int], delimiter: str | None = None
) -> Table:
    """Find out what a file is and how to read it.

    Args:
        path: The file.
        score: How many known headers a row holds; the delimiter or sheet with most wins.
        delimiter: Of a CSV, when known.

    Raises:
        ImportRejectedError: If it is missing, empty, or neither CSV nor XLSX.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            sha256, encoding = _inspect(file, start)
    except FileNotFoundError:
        raise ImportRejectedError(f"There is no file {path}.", "Check its path.") from None
    except OSError as error:
        raise ImportRejectedError(
            f"{path} cannot be read: {error.strerror}.", "Check that it is a file you may read."
        ) from None
    if not start.strip():
        raise ImportRejectedError(f"{path.name} is empty.", "Export it again.")
    if start[:4] == b"PK\x03\x04":
        return Table(path, sha256, "xlsx", sheet=_find_sheet(path, score))
    if start[:4] == b"\xd0\xcf\x11\xe0":
        raise ImportRejectedError(
            f"{path.name} is an old .xls file, or protected by a password.",
            "Save it as .xlsx or CSV without a password.",
        )
    if encoding is None or start.lstrip()[:1] == b"<" or start[:2] in (b"\x1f\x8b", b"%P"):
        raise ImportRejectedError(
            f"{path.name} is neither CSV nor XLSX.", "Export it as CSV or XLSX; unpack archives."
        )
    if delimiter is None:
        delimiter = _sniff(path, encoding, score)
    return Table(path, sha256, "csv", encoding=encoding, delimiter=delimiter)


def _inspect(file: IO[bytes], start: bytes) -> tuple[str, str | None]:
    """The hash of the whole file and its encoding, None when it is no text."""
    sha = hashlib.sha256(start)
    marked = next((name for bom, name in _BOMS if start.startswith(bom)), None)
    decoder = codecs.getincrementaldecoder("utf-8")()
    unicode, zeros = _feeds(decoder, start), b"\x00" in start
    while chunk := file.read(1 << 20):
        sha.update(chunk)
        unicode = unicode and _feeds(decoder, chunk)
        zeros = zeros or b"\x00" in chunk
    if marked:
        encoding: str | None = marked
    elif zeros:
        encoding = _wide(start)
    else:
        encoding = "utf-8" if unicode and _feeds(decoder, b"", final=True) else "cp1252"
    return sha.hexdigest(), encoding


def _wide(start: bytes) -> str | None:
    """UTF-16 without a mark shows as a zero in every other byte of western text."""
    odd, even = start[1::2].count(0), start[0::2].count(0)
    if max(odd, even) < len(start) // 4:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _feeds(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _skip_hint(file: IO[str]) -> int:
    """Pass over Excel's `sep=;` line; how many lines that were."""
    first = file.readline()
    if first.strip().strip('"').lower().startswith("sep="):
        return 1
    file.seek(0)
    return 0


def _sniff(path: Path, encoding: str, score: Callable[[list[Any]], int]) -> str:
    best, best_score = ",", (-1, -1, -1)
    for candidate in _CANDIDATES:
        with path.open(encoding=encoding, newline="", errors="replace") as file:
            _skip_hint(file)
            try:
                rows = list(itertools.islice(csv.reader(file, delimiter=candidate), HEAD_ROWS))
            except csv.Error:
                continue
        widths = Counter(len(r) for r in rows if r)
        if not widths:
            continue
        width, agreeing = widths.most_common(1)[0]
        known = max((score(r) for r in rows), default=0)
        found = (known, agreeing if width > 1 else 0, width)
        if found > best_score:
            best, best_score = candidate, found
    return best


@contextmanager
def _open_book(path: Path) -> Iterator[Any]:
    import openpyxl

    # Reason: a file object, because openpyxl judges a path by its ending.
    with path.open("rb") as file:
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError):
            raise ImportRejectedError(
                f"{path.name} is not a readable XLSX workbook.",
                "Save it again as .xlsx, or as CSV.",
            ) from None
        try:
            yield book
        finally:
            book.close()


def _find_sheet(path: Path, score: Callable[[list[Any]], int]) -> str:
    """The sheet whose first rows hold the most known headers; the first one when none does."""
    with _open_book(path) as book:
        best, best_score = "", 0
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            rows = itertools.islice(sheet.iter_rows(values_only=True), HEAD_ROWS)
            found = max((score(list(r)) for r in rows), default=0)
            # Reason: Ads Manager adds a formatted copy; of equals the raw data come later.
            if found > best_score or (found == best_score and "raw" in sheet.title.lower()):
                best, best_score = sheet.title, found
        if not best and book.worksheets:
            best = book.worksheets[0].title
    if not best:
        raise ImportRejectedError(f"{path.name} has no sheet.", "Export it again.")
    return best
