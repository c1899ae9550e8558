"""Connections to Meta: the sealed token and what is known about it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from adlab.storage.statements import statement


def store_connection(
    connection: Connection,
    *,
    client_id: int,
    token_sealed: bytes,
    app_id: str | None,
    meta_user_id: str | None,
    token_type: str | None,
    scopes: list[str],
    expires_at: datetime | None,
    data_expires_at: datetime | None,
) -> int:
    """Keep a sealed token of a client.

    Returns:
        The connection's id.
    """
    found: int | None = connection.scalar(
        statement("connection_insert"),
        {
            "client_id": client_id,
            "token_sealed": token_sealed,
            "app_id": app_id,
            "meta_user_id": meta_user_id,
            "token_type": token_type,
            "scopes": scopes,
            "expires_at": expires_at,
            "data_expires_at": data_expires_at,
        },
    )
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
