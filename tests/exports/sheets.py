"""Reads a sheet back and computes its formulas with eight lines of arithmetic of our own."""

from __future__ import annotations

import io
import re
from typing import Any

import openpyxl
from openpyxl.utils import column_index_from_string

Cell = float | str | None


class Sheet:
    """Sheet "Data" of a file: formulas as written, values as stored."""

    def __init__(self, content: bytes) -> None:
        self.formulas = openpyxl.load_workbook(io.BytesIO(content))["Data"]
        self.stored = openpyxl.load_workbook(io.BytesIO(content), data_only=True)["Data"]
        self.about = openpyxl.load_workbook(io.BytesIO(content))["About"]

    @property
    def head(self) -> list[str]:
        return [str(c.value) for c in self.formulas[1]]

    def column(self, title: str, *, stored: bool = True) -> list[Any]:
        """Cells below a head, totals included."""
        place = self.head.index(title) + 1
        sheet = self.stored if stored else self.formulas
        return [sheet.cell(r, place).value for r in range(2, sheet.max_row + 1)]

    def cell(self, title: str, row: int) -> Any:
        """A cell as written, with its format and note."""
        return self.formulas.cell(row, self.head.index(title) + 1)

    def compute(self, where: str) -> Cell:
        """The value a spreadsheet would compute."""
        match = re.fullmatch(r"([A-Z]+)(\d+)", where.replace("$", ""))
        assert match is not None, where
        value = self.formulas.cell(int(match[2]), column_index_from_string(match[1])).value
        if not isinstance(value, str) or not value.startswith("="):
            return value  # type: ignore[return-value]
        if found := re.fullmatch(r'=IF\((\w+)=0,"",(\w+)/(\w+)(?:\*(\d+))?\)', value):
            below = self.compute(found[1])
            assert found[1] == found[3]
            if below in (None, "", 0):
                return ""
            return float(self.compute(found[2]) or 0) / float(below) * int(found[4] or 1)  # type: ignore[arg-type]
        if found := re.fullmatch(r"=SUM\((.+):(.+)\)", value):
            return sum(float(v) for v in self._block(found[1], found[2]) if v not in (None, ""))
        found = re.fullmatch(r'=SUMIF\((.+):(.+),"([A-Z]{3})",(.+):(.+)\)', value)
        assert found is not None, value
        codes, cells = self._block(found[1], found[2]), self._block(found[4], found[5])
        return sum(
            float(v) for c, v in zip(codes, cells, strict=True) if c == found[3] and v is not None
        )

    def _block(self, first: str, last: str) -> list[Any]:
        column, top = re.fullmatch(r"\$?([A-Z]+)\$?(\d+)", first).groups()  # type: ignore[union-attr]
        bottom = re.fullmatch(r"\$?[A-Z]+\$?(\d+)", last)[1]  # type: ignore[index]
        return [self.compute(f"{column}{r}") for r in range(int(top), int(bottom) + 1)]

    def check(self) -> int:
        """Compare every formula with the value stored beside it; returns how many there are."""
        count = 0
        for line in self.formulas.iter_rows():
            for cell in line:
                if isinstance(cell.value, str) and cell.value.startswith("="):
                    stored = self.stored[cell.coordinate].value
                    computed = self.compute(cell.coordinate)
                    if computed == "":
                        assert stored in (None, ""), (cell.coordinate, stored)
                    else:
                        assert abs(float(computed) - stored) <= 1e-9 * max(1, abs(stored)), cell  # type: ignore[arg-type]
                    count += 1
        return count
