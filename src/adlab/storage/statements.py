"""Loads and binds the statements in `sql/`: one to a file, each saying its rows in and out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import TextClause, text

_FOLDER = Path(__file__).parent / "sql"


@cache
def statement(name: str) -> TextClause:
    """The statement in `sql/<name>.sql`, ready to execute with named parameters.

    Raises:
        FileNotFoundError: If there is no such file; a mistake in our own code.
    """
    return text((_FOLDER / f"{name}.sql").read_text(encoding="utf-8"))
