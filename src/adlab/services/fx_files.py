"""Load exchange rates from a file, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Engine

from adlab.exports.rates import read_rates
from adlab.storage.engine import transaction
from adlab.storage.rates import RateRow, store_rates

LONGEST_SOURCE = 80


@dataclass(frozen=True)
class RatesReport:
    """What a file held.

    Attributes:
        status: `loaded`, or `checked` for a dry run.
        rates: How many rates.
        currencies: Every currency, bases included, in alphabetical order.
        since: First day.
        until: Newest day.
        source: Whose rates they are said to be.
    """

    status: str
    rates: int
    currencies: tuple[str, ...]
    since: date
    until: date
    source: str


def load_rates_file(
    engine: Engine, path: Path, base: str = "EUR", source: str | None = None, dry_run: bool = False
) -> RatesReport:
    """Store every rate of a file, replacing those of the same day and pair.

    Args:
        engine: The operator's.
        path: A CSV file, wide or long.
        base: Base of the wide shape.
        source: Whose rates they are, as people read it; the file's name when
            omitted.
        dry_run: Read everything and store nothing.

    Raises:
        ImportRejectedError: If any line is bad; nothing is stored then.
        ValueError: If base or source is malformed.
    """
    found = read_rates(path, base)
    name = (source if source is not None else path.name).strip()
    if not name or len(name) > LONGEST_SOURCE or not name.isprintable():
        raise ValueError(f"--source has 1 to {LONGEST_SOURCE} characters that can be printed")
    if not dry_run:
        with transaction(engine) as connection:
            rows = [RateRow(r.day, r.base, r.quote, r.rate) for r in found]
            store_rates(connection, rows, name)
    days = [r.day for r in found]
    currencies = {r.base for r in found} | {r.quote for r in found}
    return RatesReport(
        "checked" if dry_run else "loaded", len(found), tuple(sorted(currencies)), min(days),
        max(days), name,
    )  # fmt: skip
