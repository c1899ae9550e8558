"""Read where the levels of an account do not add up to the account's own row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from adlab.core.periods import DateRange
from adlab.storage.statements import statement


def load_client_ids(connection: Connection, slug: str | None, account_id: int | None) -> list[int]:
    """Clients with accounts that sync, narrowed to one client or account."""
    found = connection.scalars(
        statement("reconciliation_clients"), {"slug": slug, "account_id": account_id}
    )
    return list(found)


def load_spend_gaps(
    connection: Connection, client_ids: list[int], period: DateRange
) -> list[dict[str, Any]]:
    """Accounts and levels with a gap in spend on some of these days; see the statement."""
    rows = connection.execute(
        statement("reconciliation_settled"),
        {"client_ids": client_ids, "since": period.since, "until": period.until},
    )
    return [dict(r) for r in rows.mappings()]
