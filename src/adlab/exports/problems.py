"""What is wrong with one cell of a file, in words a person can act on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A cell that cannot be read.

    Attributes:
        line: Line of the file (row of the sheet), counted from 1, the header included.
        column: Header of the column; empty when the whole row is meant.
        value: What stands there.
        reason: Why it cannot be read.
    """

    line: int
    column: str
    value: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", column {self.column!r}" if self.column else "")
        return f"{where}: {self.value!r} {self.reason}"


class CellError(ValueError):
    """A cell cannot be read; the text is the reason, and follows the value in a sentence."""
