"""The inbox of webhooks: kept before they are acknowledged, then claimed and settled."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, text

from adlab.storage.engine import HOOKS_ROLE
from adlab.storage.statements import statement

State = Literal["new", "done", "failed", "ignored"]
LOGIN_DAYS = 400


@dataclass(frozen=True)
class Taken:
    """What became of updates that were handed over.

    Attributes:
        stored: New ones.
        repeated: Ones that were known already.
        strangers: New ones about accounts that no client has.
    """

    stored: int
    repeated: int
    strangers: int


@dataclass(frozen=True)
class Update:
    """One update, claimed.

    Attributes:
        event_id: Its number.
        account_id: The entry's id.
        client_id: Whose account it is; None when nobody's.
        field: As Meta named it.
        topic: What we are subscribed to; None when unknown.
        object_id: What it is about, as far as its value says.
        value: As Meta sent it.
        sent_at: Meta's time of sending (aware UTC).
        attempts: Tries, this one included.
    """

    event_id: int
    account_id: int
    client_id: int | None
    field: str
    topic: str | None
    object_id: int | None
    value: Any
    sent_at: datetime
    attempts: int


@dataclass(frozen=True)
class Settled:
    """What came of an update.

    Attributes:
        event_id: Its number.
        state: `new` stands for: again at `not_before`.
        outcome: What followed, with the names of rows and jobs.
        error: Why it failed, or is ignored.
        not_before: When it may be tried again (aware UTC).
    """

    event_id: int
    state: State
    outcome: Mapping[str, Any] | None = None
    error: str | None = None
    not_before: datetime | None = None


@dataclass(frozen=True)
class Version:
    """The version of an object that holds now; `changed` when this transaction made it."""

    level: int
    object_id: int
    valid_from: datetime
    changed: bool
    effective_status: str | None


def take(connection: Connection, events: Sequence[Mapping[str, Any]], at: datetime) -> Taken:
    """Keep updates; the receiver's login may do this and count refusals, and nothing else.

    Args:
        connection: Any login of `adlab_hooks`, or an operator.
        events: As `meta.signatures` reads them; see `sec.take_webhooks`.
        at: When they were received (aware UTC).
    """
    row = connection.execute(
        statement("inbox_take"), {"events": _text(list(events)), "at": at}
    ).one()
    return Taken(row.stored, row.repeated, row.strangers)


def _text(events: list[Mapping[str, Any]]) -> str:
    try:
        return orjson.dumps(events).decode()
    except orjson.JSONEncodeError:
        # Reason: a value with whole numbers of more than 64 bits.
        return json.dumps(events)


def count_refusals(connection: Connection, counts: Mapping[str, int], at: datetime) -> None:
    """Add to the day's counters of what was refused."""
    connection.execute(statement("inbox_refuse"), {"counts": json.dumps(dict(counts)), "at": at})


def claim(connection: Connection, now: datetime, until: datetime, most: int) -> list[Update]:
    """Take the oldest updates that wait; nobody else gets them before `until`."""
    rows = connection.execute(
        statement("inbox_claim"), {"now": now, "lease_until": until, "most": most}
    ).mappings()
    return [Update(**r) for r in rows]


def settle(connection: Connection, settled: Iterable[Settled], now: datetime) -> None:
    """Note what came of updates."""
    rows = [
        {
            "event_id": s.event_id,
            "state": s.state,
            "outcome": None if s.outcome is None else dict(s.outcome),
            "error": s.error[:1000] if s.error else None,
            "not_before": s.not_before.isoformat() if s.not_before else None,
        }
        for s in settled
    ]
    if rows:
        connection.execute(statement("inbox_settle"), {"settled": json.dumps(rows), "now": now})


def load_versions(
    connection: Connection, account_id: int, objects: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], Version]:
    """The version that each object (level, id) has now."""
    asked = [{"level": level, "object_id": number} for level, number in objects]
    rows = connection.execute(
        statement("inbox_history"), {"account_id": account_id, "objects": json.dumps(asked)}
    )
    return {(r.level, r.object_id): Version(**r._mapping) for r in rows}


def load_owners(connection: Connection, object_ids: Iterable[int]) -> dict[int, set[int]]:
    """The accounts in which each object is known."""
    found: dict[int, set[int]] = {}
    for row in connection.execute(statement("inbox_owners"), {"object_ids": list(object_ids)}):
        found.setdefault(row.object_id, set()).add(row.account_id)
    return found


def load_ads_of_creatives(
    connection: Connection, account_id: int, creative_ids: Iterable[int]
) -> dict[int, list[int]]:
    """The ads that show each creative."""
    found: dict[int, list[int]] = {}
    rows = connection.execute(
        statement("inbox_creative_ads"),
        {"account_id": account_id, "creative_ids": list(creative_ids)},
    )
    for row in rows:
        found.setdefault(row.creative_id, []).append(row.object_id)
    return found


def load_job(connection: Connection, key: str) -> tuple[int, str] | None:
    """Number and state of the job of a key that waits or runs."""
    row = connection.execute(statement("inbox_job"), {"key": key}).first()
    return None if row is None else (row.job_id, row.state)


def list_updates(
    connection: Connection,
    *,
    client_id: int | None = None,
    account_id: int | None = None,
    topic: str | None = None,
    state: str | None = None,
    most: int = 50,
) -> list[dict[str, Any]]:
    """The newest updates with what followed, newest first."""
    rows = connection.execute(
        statement("inbox_list"),
        {"client_id": client_id, "account_id": account_id, "topic": topic, "state": state,
         "most": most},
    )  # fmt: skip
    return [dict(r) for r in rows.mappings()]


def load_counts(connection: Connection) -> list[dict[str, Any]]:
    """Per topic: kept, waiting, done, ignored, failed, strangers, repeats, last_received_at."""
    return [dict(r) for r in connection.execute(statement("inbox_counts")).mappings()]


def load_refusals(connection: Connection, since: date) -> list[dict[str, Any]]:
    """Per reason: refused, last_at; since a day of UTC."""
    rows = connection.execute(statement("inbox_refusals"), {"since": since})
    return [dict(r) for r in rows.mappings()]


def prune(connection: Connection, before: datetime) -> int:
    """Forget updates received before a moment, and counters of its days before; how many."""
    day = before.astimezone(UTC).date()
    connection.execute(statement("inbox_prune_refusals"), {"before": day})
    return connection.execute(statement("inbox_prune"), {"before": before}).rowcount


def create_hooks_login(connection: Connection, days: int = LOGIN_DAYS) -> tuple[str, str]:
    """Make a login for the receiver: it can hand over updates and count refusals, and read nothing.

    Args:
        connection: An operator's transaction.
        days: How long it lasts; a restart makes a new one.

    Returns:
        Login and password; the password is stored nowhere else.
    """
    for old in connection.scalars(
        text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'wh\\_%' AND rolvaliduntil < now()")
    ).all():
        connection.execute(text(f"DROP ROLE IF EXISTS {old}"))
    login, password = f"wh_{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    expires = datetime.now(UTC) + timedelta(days=days)
    # Reason: our own url-safe random text; DDL takes no parameters.
    connection.execute(
        text(
            f"CREATE ROLE {login} LOGIN PASSWORD '{password}' CONNECTION LIMIT 20 "
            f"VALID UNTIL '{expires.isoformat()}' IN ROLE {HOOKS_ROLE}"
        )
    )
    # Reason: an update that is not in within this time is answered 503 and comes again.
    connection.execute(text(f"ALTER ROLE {login} SET statement_timeout = '8s'"))
    return login, password
