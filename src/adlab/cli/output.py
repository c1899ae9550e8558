"""What commands print: data on stdout (tables, or JSON with `--json`), talk on stderr."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


# Reason: names come from files and from Meta; an escape sequence in one would steer the terminal,
# and a bidirectional override would let a line read as another.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _harmless(text: str) -> str:
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def data(text: str) -> None:
    """Print a line of data."""
    sys.stdout.write(f"{_harmless(text)}\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell the person something."""
    sys.stderr.write(f"{_harmless(text)}\n")
    sys.stderr.flush()


def problem(text: str, error: BaseException | None = None) -> None:
    """Say what went wrong, without secrets; with the trace when logging debugs."""
    from adlab.logs import redact

    say(redact(f"adlab: {text}"))
    if error is not None and logging.getLogger("adlab").isEnabledFor(logging.DEBUG):
        say(redact("".join(traceback.format_exception(error))))


def plain(value: Any) -> Any:
    """A value as JSON can hold it; times as ISO texts, NaN as null."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value != value:
        return None
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def rows(
    records: Iterable[Mapping[str, Any]], columns: Sequence[str], as_json: bool, title: str = ""
) -> None:
    """Print records as a table with the given columns, or all of them as a JSON list."""
    records = list(records)
    if as_json:
        data(json.dumps([{k: plain(v) for k, v in r.items()} for r in records], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", header_style="bold", box=None)
    numeric = {c for c in columns if any(_is_number(r.get(c)) for r in records)}
    for c in columns:
        table.add_column(c.replace("_", " "), justify="right" if c in numeric else "left",
                         overflow="fold")  # fmt: skip
    from rich.text import Text

    for r in records:
        # Reason: Text, because names of clients may hold what rich takes for markup.
        table.add_row(*(Text(_shown(r.get(c))) for c in columns))
    width = None if sys.stdout.isatty() else 240
    Console(file=sys.stdout, width=width).print(table)
    sys.stdout.flush()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    value = plain(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, list):
        value = ", ".join(str(v) for v in value)
    return _harmless(re.sub(r"\s*[\r\n\t]\s*", " ", str(value)))


def document(values: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    data(json.dumps({k: plain(v) for k, v in values.items()}, indent=2, default=str))
