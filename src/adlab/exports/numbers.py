"""Numbers as people write them: 1.234,56 and 1 234,56 and 1,234.56 and 1'234.56.

A file has one decimal separator. It is told by a mapping, or by the numbers of the file
themselves; where they leave it open, the file is refused rather than guessed at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from adlab.core.errors import DataError, ImportRejectedError
from adlab.core.money import MICRO, SYMBOLS, round_to_micro, to_micro
from adlab.exports.problems import CellError

Cell = object

# Reason: Ads Manager's screens show a dash where there is no value; its files leave the cell empty.
_MISSING = frozenset({"", "-", "–", "—"})
_SPACES = "\u0020\u00a0\u202f\u2009"
_GROUPS = f"{_SPACES}'’"
LARGEST_COUNT = 10**15
LARGEST_MONEY = 10**11


def _same(separator: str) -> str:
    """A separator and the characters that look like it."""
    for alike in (_SPACES, "'’"):
        if separator and separator in alike:
            return alike
    return separator


def is_missing(cell: Cell) -> bool:
    """Whether a cell holds no value at all."""
    return cell is None or (isinstance(cell, str) and cell.strip() in _MISSING)


class NumberStyle:
    """Reads numbers of one notation.

    Args:
        decimal: `.` or `,`.
        thousands: The separator of groups, `""` for none, or None to accept any usual one.
    """

    def __init__(self, decimal: str = ".", thousands: str | None = None) -> None:
        self.decimal = decimal
        self.thousands = thousands
        other = "," if decimal == "." else "."
        groups = other + _GROUPS if thousands is None else _same(thousands)
        whole = r"\d+"
        if groups:
            g = f"[{re.escape(groups)}]"
            # Reason: `\d{2}` groups are the Indian way, 1,23,456.
            whole += (
                rf"|\d{{1,3}}(?P<g>{g})\d{{3}}(?:(?P=g)\d{{3}})*|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}"
            )
        self._pattern = re.compile(
            rf"\+?(?P<w>{whole})?(?:{re.escape(decimal)}(?P<f>\d+))?", re.ASCII
        )
        self._groups = re.compile(rf"[{re.escape(other + _GROUPS)}]")

    def plain(self, cell: Cell) -> str:
        """The number as plain digits with a decimal point, such as `1234.56`.

        Raises:
            CellError: If it is none; the text says why.
        """
        if isinstance(cell, bool):
            raise CellError("is true or false, not a number")
        if isinstance(cell, int):
            text, style = str(cell), _POINT
        elif isinstance(cell, float):
            # Reason: spreadsheets keep 15 digits; the 16th and 17th are noise of the conversion.
            text, style = format(cell, ".15g"), _POINT
            if "e" in text and cell == cell and abs(cell) != float("inf"):
                text = format(cell, ".15f").rstrip("0").rstrip(".")
        else:
            text, style = str(cell).strip(), self
        found = style._pattern.fullmatch(text)
        if found is None or (found["w"] is None and found["f"] is None):
            raise CellError(self._why(text))
        whole = style._groups.sub("", found["w"] or "0")
        return f"{whole}.{found['f']}" if found["f"] else whole

    def whole(self, cell: Cell) -> int | None:
        """An integer count; None when missing.

        Raises:
            CellError: If it is no whole number, negative, or larger than the store holds.
        """
        if isinstance(cell, str):
            cell = cell.strip()
            if cell.isdigit() and cell.isascii() and len(cell) < 15:
                return int(cell)
        if is_missing(cell):
            return None
        before, _, after = self.plain(cell).partition(".")
        if after.strip("0"):
            raise CellError(f"is not a whole number (decimal separator {self.decimal!r})")
        return _bounded(int(before))

    def count(self, cell: Cell) -> int | float | None:
        """A count that attribution may split into fractions; None when missing.

        Raises:
            CellError: As for `whole`, except that fractions are fine.
        """
        if is_missing(cell):
            return None
        text = self.plain(cell)
        before, _, after = text.partition(".")
        if not after.strip("0"):
            return _bounded(int(before))
        _bounded(int(before))
        return float(text)

    def money(self, currency: str | None, exact: bool) -> Callable[[Cell], int | None]:
        """A reader of amounts in major units, as integer micro units; None when missing.

        Args:
            currency: Whose symbol or code may stand beside the amount.
            exact: Refuse more than six decimals (spend) instead of rounding them (revenue).
        """
        marks = [m for m in (currency, SYMBOLS.get(currency or "")) if m]

        def read(cell: Cell) -> int | None:
            if is_missing(cell):
                return None
            if isinstance(cell, str):
                for mark in marks:
                    cell = cell.replace(mark, "")
            text = self.plain(cell)
            if int(text.partition(".")[0]) > LARGEST_MONEY:
                raise CellError("is more money than any ad account spends")
            try:
                return to_micro(text) if exact else round_to_micro(text)
            except DataError:
                raise CellError(
                    "has more than six decimals; amounts are kept exactly to a millionth, "
                    "so round it at its source"
                ) from None

        return read

    def _why(self, text: str) -> str:
        bare = text.lstrip("+-−( ")
        if bare.lower().strip("#() ") in _WORDS:
            return "is not a number; leave the cell empty where there is no value"
        if text[:1] in "-−(":
            return "is below zero"
        if re.fullmatch(r"[\d.,]+[eE][+-]?\d+", text):
            return "is in scientific notation; format the column as a plain number and export again"
        if "%" in text:
            return "is a percentage; a count or an amount is needed here"
        if text.count(self.decimal) > 1:
            return f"has more than one decimal separator ({self.decimal!r})"
        if re.search(r"[^\d.,\s'’+]", text) and re.search(r"\d", text):
            return "holds more than a number"
        if re.search(r"\d", text):
            return (
                f"is not a number with decimal separator {self.decimal!r}; if it is another one, "
                "say so in a mapping (decimal:, thousands:)"
            )
        return "is not a number"


_WORDS = frozenset(
    {"nan", "inf", "infinity", "null", "none", "n/a", "na", "div/0!", "value!", "ref!"}
)
_POINT = NumberStyle(".", "")


def _bounded(number: int) -> int:
    if number > LARGEST_COUNT:
        raise CellError("is larger than any ad account delivers")
    return number


class StyleFinder:
    """Collects evidence of a file's notation, cell by cell."""

    def __init__(self) -> None:
        self._sure: Counter[str] = Counter()
        self._open: dict[str, str] = {}

    def see(self, cell: Cell, whole: bool) -> None:
        """Take note of a cell; `whole` says that it can hold integers only."""
        if not isinstance(cell, str) or ("." not in cell and "," not in cell):
            return
        text = re.sub(rf"[^\d.,{_GROUPS}]", "", cell).strip()
        points, commas = text.count("."), text.count(",")
        if points and commas:
            last = "." if text.rfind(".") > text.rfind(",") else ","
            if text.count(last) == 1:
                self._sure[last] += 1
            return
        mark, other = (".", ",") if points else (",", ".")
        before, _, after = text.partition(mark)
        if points + commas > 1:
            if NumberStyle(other, mark)._pattern.fullmatch(text):
                self._sure[other] += 1
        elif len(after) != 3 or not 1 <= len(before) <= 3 or before.startswith("0"):
            self._sure[mark] += 1
        elif whole:
            # Reason: a count has no decimals, so 1.234 impressions are a thousand and more.
            self._sure[other] += 1
        else:
            self._open.setdefault(mark, cell)

    def settle(self) -> str:
        """The decimal separator.

        Raises:
            ImportRejectedError: If the file leaves it open; the remedy says what to write.
        """
        if self._sure:
            return self._sure.most_common(1)[0][0]
        for mark, example in self._open.items():
            raise ImportRejectedError(
                f"{example!r} can be read two ways: {mark!r} may separate decimals or thousands, "
                "and no other number of the file tells which.",
                f'Say it in a mapping: decimal: "{mark}" or thousands: "{mark}".',
            )
        return "."


def shown(micro: int | None) -> str:
    """Micro units as plain text of major units, for messages and reports."""
    if micro is None:
        return ""
    whole, part = divmod(abs(micro), MICRO)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micro < 0 else ''}{whole}.{decimals}"
