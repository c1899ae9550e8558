"""The audit log: who did what, to which client. Append-only."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from adlab.storage.statements import statement


def record(
    connection: Connection,
    action: str,
    *,
    actor: str = "local owner",
    client_id: int | None = None,
    **details: Any,
) -> None:
    """Write one entry in the current transaction. Never pass secrets."""
    connection.execute(
        statement("audit_insert"),
        {
            "actor": actor,
            "action": action,
            "client_id": client_id,
            "details": json.dumps(details, default=str),
        },
    )
