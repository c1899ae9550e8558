"""Connections to Meta: the sealed token and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adlab.storage.statements import statement


@dataclass(frozen=True)
class Known:
    """What Meta told of a token when it was asked.

    Attributes:
        app_id: The app it belongs to.
        meta_user_id: The app-scoped id of its user.
        meta_user_name: Their name, for people to know who must act.
        token_type: `USER`, `SYSTEM_USER` or what Meta says.
        scopes: What it may do.
        expires_at: Aware UTC; None never.
        data_expires_at: When access to the user's data ends (aware UTC); None never.
    """

    app_id: str | None
    meta_user_id: str | None
    meta_user_name: str | None
    token_type: str | None
    scopes: tuple[str, ...]
    expires_at: datetime | None
    data_expires_at: datetime | None


def store_connection(
    connection: Connection,
    *,
    client_id: int,
    token_sealed: bytes,
    known: Known,
    connected_by: str,
    asked_at: datetime,
) -> int:
    """Keep a sealed token of a client.

    Args:
        connection: An operator's transaction.
        client_id: The client.
        token_sealed: Sealed for that client.
        known: What Meta told of it.
        connected_by: Who connected it, for people.
        asked_at: When Meta was asked (aware UTC).

    Returns:
        The connection's id.
    """
    found: int | None = connection.scalar(
        statement("connection_insert"),
        {
            "client_id": client_id, "token_sealed": token_sealed, "app_id": known.app_id,
            "meta_user_id": known.meta_user_id, "meta_user_name": known.meta_user_name,
            "token_type": known.token_type, "scopes": list(known.scopes),
            "expires_at": known.expires_at, "data_expires_at": known.data_expires_at,
            "connected_by": connected_by, "facts_at": asked_at,
        },
    )  # fmt: skip
    assert found is not None
    return found


def prune_connections(connection: Connection, client_id: int) -> None:
    """Delete connections (and so tokens) that no account uses any more."""
    connection.execute(statement("connection_prune"), {"client_id": client_id})


def mark_connection(
    connection: Connection, connection_id: int, status: str, reason: str | None = None
) -> None:
    """Set a connection to `ok`, `reauth_required` or `revoked`, with the reason for people."""
    connection.execute(
        statement("connection_status"),
        {"connection_id": connection_id, "status": status, "reason": reason},
    )


def load_connections(
    connection: Connection, client_id: int | None = None, connection_id: int | None = None
) -> list[dict[str, Any]]:
    """Connections with their accounts, perhaps of one client or by number; never a token."""
    rows = connection.execute(
        statement("connection_list"), {"client_id": client_id, "connection_id": connection_id}
    )
    return [dict(r) for r in rows.mappings()]


def lock_connection(connection: Connection, connection_id: int) -> dict[str, Any] | None:
    """client_id and token_sealed of a connection, locked until the end of the transaction."""
    row = connection.execute(
        statement("connection_lock"), {"connection_id": connection_id}
    ).mappings()
    found = row.first()
    return None if found is None else dict(found)


def load_due(connection: Connection, asked_before: datetime) -> list[int]:
    """Connections with a token that Meta was not asked about since then."""
    return list(
        connection.scalars(statement("connection_due"), {"asked_before": asked_before}).all()
    )


def claim(
    connection: Connection, connection_id: int, asked_before: datetime, now: datetime
) -> dict[str, Any] | None:
    """The connection with its sealed token, for the one process that asks Meta about it now."""
    row = connection.execute(
        statement("connection_claim"),
        {"connection_id": connection_id, "asked_before": asked_before, "now": now},
    ).mappings()
    found = row.first()
    return None if found is None else dict(found)


def store_facts(
    connection: Connection,
    connection_id: int,
    token_sealed: bytes,
    known: Known,
    *,
    status: str,
    reason: str | None,
    warning: str | None,
    now: datetime,
) -> bool:
    """Keep what Meta told of a token; False when the token was replaced meanwhile."""
    done = connection.execute(
        statement("connection_facts"),
        {
            "connection_id": connection_id, "token_sealed": token_sealed,
            "token_type": known.token_type, "scopes": list(known.scopes),
            "expires_at": known.expires_at, "data_expires_at": known.data_expires_at,
            "meta_user_id": known.meta_user_id, "status": status, "reason": reason,
            "warning": warning, "now": now,
        },
    )  # fmt: skip
    return bool(done.rowcount)


def claim_exchange(
    connection: Connection, connection_id: int, tried_before: datetime, now: datetime
) -> bool:
    """Whether this process is the one that renews the token now."""
    found = connection.scalar(
        statement("connection_exchange_claim"),
        {"connection_id": connection_id, "tried_before": tried_before, "now": now},
    )
    return found is not None


def replace_token(
    connection: Connection,
    connection_id: int,
    former: bytes,
    fresh: bytes,
    expires_at: datetime | None,
    now: datetime,
) -> bool:
    """Put a renewed token in the former one's place; False when another stands there already."""
    done = connection.execute(
        statement("connection_token_set"),
        {
            "connection_id": connection_id, "token_sealed": former, "fresh": fresh,
            "expires_at": expires_at, "now": now,
        },
    )  # fmt: skip
    return bool(done.rowcount)


def load_same_user(
    connection: Connection, connection_id: int, meta_user_id: str, app_id: str | None
) -> list[str]:
    """Clients with another connection that a revocation by this user would end."""
    rows = connection.execute(
        statement("connection_same_user"),
        {"connection_id": connection_id, "meta_user_id": meta_user_id, "app_id": app_id},
    )
    return sorted({r.slug for r in rows})


def unlink_accounts(
    connection: Connection, connection_id: int, account_id: int | None = None
) -> list[int]:
    """Take accounts, or one, off a connection; they and their data stay."""
    rows = connection.scalars(
        statement("connection_unlink"), {"connection_id": connection_id, "account_id": account_id}
    )
    return sorted(rows.all())


def delete_connection(connection: Connection, connection_id: int) -> None:
    """Forget a connection and its token."""
    connection.execute(statement("connection_delete"), {"connection_id": connection_id})


def mark_revoked_by_user(
    connection: Connection, meta_user_id: str, reason: str
) -> list[tuple[int, int]]:
    """Delete the tokens of a user at Meta who took consent back; connection_id, client_id each."""
    rows = connection.execute(
        statement("connection_revoked_by_user"), {"meta_user_id": meta_user_id, "reason": reason}
    )
    return [(r.connection_id, r.client_id) for r in rows]


def forget_user(
    connection: Connection, meta_user_id: str, reason: str
) -> list[tuple[int, int, bool]]:
    """Delete everything of a user at Meta; connection_id, client_id, whether a token was there."""
    rows = connection.execute(
        statement("connection_forget_user"), {"meta_user_id": meta_user_id, "reason": reason}
    )
    return [(r.connection_id, r.client_id, r.had_token) for r in rows]


def load_sealed(connection: Connection, *, lock: bool = False) -> list[dict[str, Any]]:
    """Every sealed token: place, id, client_id, token_sealed.

    Args:
        connection: An operator's transaction.
        lock: Whether nobody may write a token until the end of the transaction.
    """
    if lock:
        connection.execute(statement("connection_sealed_lock"))
    return [dict(r) for r in connection.execute(statement("connection_sealed")).mappings()]


def store_rewrapped(connection: Connection, place: str, number: int, token_sealed: bytes) -> None:
    """Put a token, wrapped by another master key, back where it was."""
    connection.execute(statement(f"{place}_rewrap"), {"id": number, "token_sealed": token_sealed})
