"""Exchange rates as they were loaded: one row a day and pair of currencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from adlab.core.periods import DateRange
from adlab.storage import audit
from adlab.storage.statements import statement
from adlab.storage.tenancy import Reader


@dataclass(frozen=True)
class RateRow:
    """One unit of `base` is `rate` units of `quote` on that day."""

    day: date
    base: str
    quote: str
    rate: Decimal
    source: str = ""


def store_rates(connection: Connection, rows: Sequence[RateRow], source: str) -> int:
    """Store rates, replacing those of the same day and pair.

    Args:
        connection: An operator's transaction.
        rows: What to store; no day and pair twice.
        source: Whose rates they are, as people read it: `ECB`.

    Returns:
        How many were stored.
    """
    if rows:
        connection.execute(
            statement("fx_upsert"),
            {"dates": [r.day for r in rows], "bases": [r.base for r in rows],
             "quotes": [r.quote for r in rows], "rates": [r.rate for r in rows],
             "source": source},
        )  # fmt: skip
        audit.record(
            connection, "fx.load", source=source, rates=len(rows),
            since=min(r.day for r in rows), until=max(r.day for r in rows),
        )  # fmt: skip
    return len(rows)


def list_rates(connection: Connection) -> list[dict[str, Any]]:
    """Per pair and source: base, quote, source, days, since, until, newest_rate, loaded_at."""
    return [dict(r) for r in connection.execute(statement("fx_list")).mappings()]


def load_rates(reader: Reader, currencies: Sequence[str], days: DateRange) -> list[RateRow]:
    """Every rate from or to one of the currencies on those days; everyone may read all."""
    rows = reader.rows(
        "read_fx_rates", currencies=list(currencies), since=days.since, until=days.until
    )
    return [RateRow(r["date"], r["base"], r["quote"], r["rate"], r["source"]) for r in rows]


def load_currencies(reader: Reader) -> tuple[str, ...]:
    """Every currency that has a rate, in alphabetical order."""
    return tuple(r["currency"] for r in reader.rows("read_fx_currencies"))
