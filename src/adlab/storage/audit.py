"""The audit log: who did what, to which client. Append-only."""

from __future__ import annotations

import json
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
