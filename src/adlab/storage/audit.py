"""The audit log: who did what, to which client. Append-only, and chained by the database.

Entries are written in the transaction of what they tell. At its commit the database links each to
the one before (`m0017_audit`); `adlab.services.audit` checks the chain.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adlab.storage.statements import statement

# Who acts on the command line.
LOCAL_OWNER = "local owner"


def record(
    connection: Connection,
    action: str,
    *,
    actor: str = LOCAL_OWNER,
    client_id: int | None = None,
    clients: Sequence[int] | None = None,
    **details: Any,
) -> None:
    """Write one entry in the current transaction. Never pass secrets.

    Args:
        connection: An operator's transaction.
        action: What happened, as `noun.verb`.
        actor: Whose doing it is.
        client_id: The client it concerns; that client's people may read the entry.
        clients: Several clients it concerns; each may read the entry, none sees the others.
        details: What else is worth knowing; no secret, no other client's name.
    """
    connection.execute(
        statement("audit_insert"),
        {
            "actor": actor,
            "action": action,
            "client_id": client_id,
            "clients": list(clients) if clients else None,
            "details": json.dumps(details, default=str),
        },
    )


@dataclass(frozen=True)
class Entry:
    """One entry of the log.

    Attributes:
        at: When it was written (aware UTC).
        actor: Whose doing it is.
        action: What happened.
        client: Slug of the client it concerns, if it is one that still exists.
        details: What else is known.
        chain_no: Its place in the chain; None when it is not linked.
    """

    at: datetime
    actor: str
    action: str
    client: str | None
    details: dict[str, Any]
    chain_no: int | None


def search(
    connection: Connection,
    *,
    actor: str | None = None,
    action: str | None = None,
    client_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    words: str | None = None,
    limit: int = 100,
) -> list[Entry]:
    """Entries that fit, newest first.

    Args:
        connection: An operator's transaction.
        actor: The person, in full.
        action: An action, or its beginning, such as `user.`.
        client_id: Only what concerns this client.
        since: First moment, included (aware).
        until: Last moment, not included (aware).
        words: Text that stands in the details, in any case.
        limit: At most so many.
    """
    found = connection.execute(
        statement("audit_search"),
        {
            "actor": actor, "action": action, "client_id": client_id, "since": since,
            "until": until, "words": words, "limit": limit,
        },
    ).mappings()  # fmt: skip
    return [
        Entry(r["at"], r["actor"], r["action"], r["client"], r["details"], r["chain_no"])
        for r in found
    ]
