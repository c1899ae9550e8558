"""Rows left out of an import, written beside the file so that somebody can mend them."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from adlab.core.errors import ImportRejectedError


class Rejects:
    """Collects bad rows in a temporary file, and puts them in place once all is committed.

    Args:
        source: The imported file.
        headers: Its header row.
        delimiter: Its delimiter.
    """

    def __init__(self, source: Path, headers: Sequence[str], delimiter: str = ",") -> None:
        self._source = source
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8-sig", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, delimiter=delimiter)
        self._writer.writerow([*headers, "line", "reason"])

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, cells: list[Any], line: int, reason: str) -> None:
        """Keep a bad row; the header's last two columns say where it stood and what is wrong."""
        self._writer.writerow(["" if c is None else c for c in cells] + [line, reason])

    @property
    def target(self) -> Path:
        """Where the rows are meant to go: next to the file."""
        return self._source.resolve().parent / f"{self._source.name}.rejects.csv"

    def save(self) -> Path:
        """Write the rows next to the file, else into a folder that can be written; where it was.

        Raises:
            ImportRejectedError: If no folder can be written.
        """
        self._file.flush()
        for folder in (self.target.parent, Path.cwd(), Path(tempfile.gettempdir())):
            self._file.seek(0)
            try:
                with (folder / self.target.name).open("w", encoding="utf-8-sig", newline="") as out:
                    shutil.copyfileobj(self._file, out)
            except OSError:
                continue
            return folder / self.target.name
        raise ImportRejectedError(
            f"The rejected rows of {self._source.name} can be written nowhere.",
            "Make its folder writable.",
        )
