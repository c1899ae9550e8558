"""The journal of writes: what was wanted, sent, found; and the lock of an object being changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from adlab.core.changes import Change, as_data, from_data
from adlab.core.errors import ConflictError, UnknownObjectError
from adlab.storage.engine import translate
from adlab.storage.statements import statement

OPEN = ("planned", "sent", "unknown")
_BUSY = "55P03"


@dataclass(frozen=True)
class Entry:
    """A row of the journal; `change` is rebuilt from it exactly."""

    change_id: int
    key: str
    client_id: int
    slug: str
    account_id: int
    level: int
    object_id: int
    kind: str
    change: Change
    wanted: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any] | None
    difference: dict[str, Any] | None
    inverse: Change | None
    state: str
    not_before: datetime | None
    label_id: str | None
    made_id: int | None
    made: list[dict[str, Any]] | None
    sends: tuple[datetime, ...]
    undoes: int | None
    replaced_by: int | None
    actor: str
    reason: str
    remarks: tuple[str, ...]
    error: str | None
    planned_at: datetime
    settled_at: datetime | None


def _document(value: object | None) -> str | None:
    return None if value is None else json.dumps(value)


def inverse_document(inverse: Change | None) -> dict[str, Any] | None:
    """An inverse as the journal keeps it."""
    if inverse is None:
        return None
    return {"object_id": inverse.object_id, "kind": inverse.kind, "change": as_data(inverse)}


def load_account_facts(connection: Connection, account_id: int) -> dict[str, Any] | None:
    """An account with its client, currency, smallest budget, sealed token, scopes and state."""
    row = connection.execute(statement("change_account"), {"account_id": account_id}).mappings()
    found = row.first()
    return None if found is None else dict(found)


def load_level(connection: Connection, account_id: int, object_id: int) -> int | None:
    """Level of a known campaign, ad set or ad of the account; None when it is not known."""
    found: int | None = connection.scalar(
        statement("change_object"), {"account_id": account_id, "object_id": object_id}
    )
    return found


def insert(
    connection: Connection,
    change: Change,
    *,
    client_id: int,
    level: int,
    wanted: Mapping[str, Any],
    before: Mapping[str, Any],
    inverse: Change | None,
    state: str,
    actor: str,
    reason: str,
    now: datetime,
    not_before: datetime | None = None,
    undoes: int | None = None,
    after: Mapping[str, Any] | None = None,
    remarks: Sequence[str] = (),
) -> int:
    """Write a change down; the older wish of the same kind that still waits is replaced.

    Returns:
        The number of the change.
    """
    place = {
        "account_id": change.account_id, "object_id": change.object_id, "kind": change.kind,
    }  # fmt: skip
    older = list(connection.scalars(statement("change_replace"), {**place, "settled_at": now}))
    row = connection.execute(
        statement("change_insert"),
        {
            **place, "client_id": client_id, "level": level, "change": json.dumps(as_data(change)),
            "wanted": json.dumps(dict(wanted)), "before": json.dumps(dict(before)),
            "after": _document(after), "inverse": _document(inverse_document(inverse)),
            "state": state, "not_before": not_before, "undoes": undoes, "actor": actor,
            "reason": reason, "remarks": list(remarks), "planned_at": now,
            "settled_at": now if state == "verified" else None,
        },
    ).one()  # fmt: skip
    number: int = row.change_id
    if older:
        connection.execute(
            statement("change_replaced_by"), {"change_ids": older, "replaced_by": number}
        )
    return number


def mark_sent(connection: Connection, change_id: int, now: datetime) -> None:
    """Note that a call is about to be made."""
    connection.execute(statement("change_sent"), {"change_id": change_id, "now": now})


def store_mark(
    connection: Connection, change_id: int, label_id: str | None, before: Mapping[str, Any]
) -> None:
    """Note the label, or what was there before, by which a new object will be known."""
    connection.execute(
        statement("change_label"),
        {"change_id": change_id, "label_id": label_id, "before": json.dumps(dict(before))},
    )


def store_made(
    connection: Connection,
    change_id: int,
    made_id: int,
    made: Sequence[Mapping[str, Any]],
    inverse: Change | None,
) -> None:
    """Note what was made, and how it is taken back."""
    connection.execute(
        statement("change_made"),
        {
            "change_id": change_id, "made_id": made_id, "made": json.dumps([dict(m) for m in made]),
            "inverse": _document(inverse_document(inverse)),
        },
    )  # fmt: skip


def settle(
    connection: Connection,
    change_id: int,
    state: str,
    *,
    settled_at: datetime | None,
    after: Mapping[str, Any] | None = None,
    difference: Mapping[str, Any] | None = None,
    remarks: Sequence[str] = (),
    error: str | None = None,
    trace_id: str | None = None,
    not_before: datetime | None = None,
    uncount: bool = False,
) -> None:
    """Write down what became of a change; see `sql/change_settle.sql`."""
    connection.execute(
        statement("change_settle"),
        {
            "change_id": change_id, "state": state, "after": _document(after),
            "difference": _document(difference), "remarks": list(remarks), "error": error,
            "trace_id": trace_id, "not_before": not_before, "settled_at": settled_at,
            "uncount": uncount,
        },
    )  # fmt: skip


def load(
    connection: Connection,
    *,
    client_id: int | None = None,
    account_id: int | None = None,
    object_id: int | None = None,
    states: Sequence[str] | None = None,
    due_at: datetime | None = None,
    limit: int = 1000,
    change_id: int | None = None,
) -> list[Entry]:
    """Rows of the journal, newest first."""
    rows = connection.execute(
        statement("change_list"),
        {
            "change_id": change_id, "client_id": client_id, "account_id": account_id,
            "object_id": object_id, "states": None if states is None else list(states),
            "now": due_at, "due": due_at is not None, "limit": limit,
        },
    )  # fmt: skip
    return [_entry(dict(r)) for r in rows.mappings()]


def load_one(connection: Connection, change_id: int) -> Entry:
    """One row of the journal.

    Raises:
        UnknownObjectError: If there is no such change.
    """
    found = load(connection, change_id=change_id)
    if not found:
        raise UnknownObjectError(f"There is no change {change_id}.", "See: adlab change list")
    return found[0]


def _entry(row: dict[str, Any]) -> Entry:
    account, back = row["account_id"], row["inverse"]
    row["change"] = from_data(account, row["object_id"], row["kind"], row["change"])
    row["inverse"] = (
        None if back is None
        else from_data(account, back["object_id"], back["kind"], back["change"])
    )  # fmt: skip
    row["key"] = str(row["key"])
    row["sends"], row["remarks"] = tuple(row["sends"]), tuple(row["remarks"])
    return Entry(**{name: row[name] for name in Entry.__dataclass_fields__})


def load_undo(connection: Connection, change_id: int) -> int | None:
    """The change that takes another back already, or None."""
    found: int | None = connection.scalar(statement("change_undone"), {"change_id": change_id})
    return found


def load_budget_times(
    connection: Connection, account_id: int, object_id: int, since: datetime
) -> list[datetime]:
    """When the budget of an object was changed since then, by us or by others; oldest first."""
    return list(
        connection.scalars(
            statement("change_budget_times"),
            {"account_id": account_id, "object_id": object_id, "since": since},
        )
    )


@contextmanager
def hold(engine: Engine, object_id: int, patience: float) -> Iterator[None]:
    """Be the only one who changes an object; the lock ends with this process at the latest.

    Args:
        engine: The owner's engine; one connection of it is used up meanwhile.
        object_id: The object.
        patience: Seconds to wait for whoever holds it.

    Raises:
        ConflictError: If it is still held then.
    """
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    key = {"key": f"adlab-change:{object_id}"}
    try:
        if patience <= 0:
            got = bool(connection.scalar(statement("change_lock_try"), key))
        else:
            wait = {"patience": f"{int(patience * 1000)}ms"}
            connection.execute(statement("change_lock_patience"), wait)
            connection.execute(statement("change_lock"), key)
            got = True
    except DBAPIError as error:
        connection.invalidate()
        if getattr(error.orig, "sqlstate", "") != _BUSY:
            raise translate(error, engine.url) from error
        got = False
    try:
        if not got:
            raise ConflictError(
                f"Object {object_id} is being changed by somebody else right now.",
                "Try again in a minute; see: adlab change list",
            )
        yield
    finally:
        # Reason: a pooled connection would keep the lock; a closed one never does.
        connection.invalidate()
        connection.close()
