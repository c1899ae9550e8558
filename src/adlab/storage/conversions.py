"""The outbox of conversion events: kept until Meta has them, then erased but for what they were."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adlab.storage.statements import statement


@dataclass(frozen=True)
class Claimed:
    """An event that is this sender's to post; its payload is sealed for its client, or open."""

    conversion_id: int
    client_id: int
    dataset_id: int
    test_event_code: str | None
    payload: dict[str, Any]
    attempts: int
    payload_sealed: bytes | None = None


def load_accounts(connection: Connection, client_id: int, dataset_id: int) -> list[dict[str, Any]]:
    """Accounts of a client with their tokens, the likeliest for a dataset first."""
    rows = connection.execute(
        statement("conversion_account"), {"client_id": client_id, "dataset_id": dataset_id}
    )
    return [dict(r) for r in rows.mappings()]


def insert(
    connection: Connection,
    *,
    client_id: int,
    dataset_id: int,
    test_code: str | None,
    events: Sequence[Mapping[str, Any]],
    now: datetime,
) -> set[int]:
    """Queue events; those that are there already, or twice in the list, are left out.

    Returns:
        Places in the list, counted from 0, of the events that are new.
    """
    places = connection.scalars(
        statement("conversion_insert"),
        {
            "client_id": client_id, "dataset_id": dataset_id, "test_event_code": test_code,
            "events": json.dumps([dict(e) for e in events], default=datetime.isoformat),
            "now": now,
        },
    )  # fmt: skip
    return {place - 1 for place in places}


def insert_rejected(
    connection: Connection,
    *,
    client_id: int,
    dataset_id: int,
    rows: Sequence[tuple[str | None, str]],
    now: datetime,
) -> None:
    """Keep that events were refused here: their name, when it is one, and why."""
    connection.execute(
        statement("conversion_reject"),
        {
            "client_id": client_id, "dataset_id": dataset_id, "now": now,
            "rows": json.dumps([{"event_name": n, "error": e} for n, e in rows]),
        },
    )  # fmt: skip


def expire(
    connection: Connection, now: datetime, margin: str, forget_before: datetime
) -> dict[str, int]:
    """Settle events that must not be sent any more; how many by state."""
    rows = connection.execute(
        statement("conversion_expire"),
        {"now": now, "margin": margin, "forget_before": forget_before},
    )
    return {r.state: r.events for r in rows}


def claim(
    connection: Connection,
    *,
    now: datetime,
    lease: str,
    lease_until: datetime,
    limit: int,
    client_id: int | None = None,
    dataset_id: int | None = None,
) -> list[Claimed]:
    """Take what is due of one client, dataset and test code; nobody else gets it meanwhile."""
    rows = connection.execute(
        statement("conversion_claim"),
        {
            "now": now, "lease": lease, "lease_until": lease_until, "limit": limit,
            "client_id": client_id, "dataset_id": dataset_id,
        },
    )  # fmt: skip
    return sorted((Claimed(**r) for r in rows.mappings()), key=lambda e: e.conversion_id)


def mark_posting(connection: Connection, ids: Sequence[int], lease: str, now: datetime) -> set[int]:
    """Note that events are about to be posted; gives those that are still this sender's."""
    return set(
        connection.scalars(
            statement("conversion_posting"), {"ids": list(ids), "lease": lease, "now": now}
        )
    )


def unpost(connection: Connection, ids: Sequence[int], lease: str, posted_at: datetime) -> None:
    """Take back the note of a posting that Meta refused as a whole."""
    connection.execute(
        statement("conversion_unpost"), {"ids": list(ids), "lease": lease, "posted_at": posted_at}
    )


def settle(
    connection: Connection,
    ids: Sequence[int],
    lease: str,
    state: str,
    now: datetime,
    *,
    error: str | None = None,
    trace_id: str | None = None,
) -> int:
    """Settle events as `sent` or `failed`, and erase them; how many were still this sender's."""
    return connection.execute(
        statement("conversion_settle"),
        {"ids": list(ids), "lease": lease, "state": state, "error": error, "trace_id": trace_id,
         "now": now},
    ).rowcount  # fmt: skip


def put_back(
    connection: Connection,
    ids: Sequence[int],
    lease: str,
    *,
    not_before: datetime,
    error: str | None,
    surely_not: datetime | None = None,
) -> None:
    """Put events back for a later turn; see `sql/conversion_again.sql`."""
    connection.execute(
        statement("conversion_again"),
        {"ids": list(ids), "lease": lease, "not_before": not_before, "error": error,
         "surely_not": surely_not},
    )  # fmt: skip


def prune(connection: Connection, before: datetime) -> int:
    """Forget events that were settled before then."""
    return connection.execute(statement("conversion_prune"), {"before": before}).rowcount


def load_status(connection: Connection, client_id: int | None = None) -> list[dict[str, Any]]:
    """Counts a client, dataset, event name and state."""
    rows = connection.execute(statement("conversion_status"), {"client_id": client_id})
    return [dict(r) for r in rows.mappings()]


def load_plain(connection: Connection) -> list[dict[str, Any]]:
    """Some events that wait with an open payload, locked: conversion_id, client_id, payload."""
    return [dict(r) for r in connection.execute(statement("conversion_plain")).mappings()]


def store_sealed(connection: Connection, conversion_id: int, payload_sealed: bytes) -> None:
    """Put a sealed payload in the place of an open one."""
    connection.execute(
        statement("conversion_seal"),
        {"conversion_id": conversion_id, "payload_sealed": payload_sealed},
    )


def load_waiting(connection: Connection) -> Iterator[dict[str, Any]]:
    """Every event that waits, a thousand at a time."""
    after = 0
    while (
        rows := connection.execute(statement("conversion_waiting"), {"after": after})
        .mappings()
        .all()
    ):
        yield from (dict(r) for r in rows)
        after = rows[-1]["conversion_id"]


def read_payload(text: str) -> dict[str, Any]:
    """An event's payload from its text."""
    found: dict[str, Any] = json.loads(text)
    return found


def erase(connection: Connection, ids: Sequence[int], error: str, now: datetime) -> set[int]:
    """Erase waiting events; gives those that no sender had in hand."""
    return set(
        connection.scalars(
            statement("conversion_erase"), {"ids": list(ids), "error": error, "now": now}
        )
    )
