"""What Meta's users may ask for: that the app is removed, and that their data is deleted.

Both arrive as `signed_request` (see `meta.signed_request`), name an app-scoped user id, and may
arrive twice. Insights stay: sums over ads are the client's business data and name nobody.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from adlab.storage import audit, connections
from adlab.storage.connections_flow import forget_attempts
from adlab.storage.engine import transaction
from adlab.storage.privacy import forget_in_webhooks
from adlab.storage.statements import statement

log = logging.getLogger(__name__)

ACTOR = "Meta"
REMOVED = (
    "The app was removed at Facebook by the person who connected it. Somebody with a role on the "
    "ad accounts must log in to Facebook through adlab again."
)
FORGOTTEN = (
    "The person who connected it asked Facebook to have their data deleted. Somebody with a role "
    "on the ad accounts must log in to Facebook through adlab."
)


@dataclass(frozen=True)
class Deletion:
    """A request that was carried out.

    Attributes:
        code: Its confirmation code.
        tokens: Access tokens deleted.
        connections: Connections whose user id, name and scopes were deleted.
        logins: Logins under way that were deleted.
        activities: Entries in the record of changes whose author was deleted.
        webhooks: Updates that named the user, and were emptied.
    """

    code: str
    tokens: int
    connections: int
    logins: int
    activities: int
    webhooks: int = 0


@dataclass(frozen=True)
class DeletionStatus:
    """How far a request has come; names nobody.

    Attributes:
        state: `pending` or `done`.
        requested_at: Aware UTC.
        done_at: Aware UTC, or None.
    """

    state: Literal["pending", "done"]
    requested_at: datetime
    done_at: datetime | None


def deauthorize(engine: Engine, meta_user_id: str) -> int:
    """Delete the tokens of a user at Meta who removed the app, and mark their connections revoked.

    Twice does no more than once.

    Args:
        engine: The owner's engine.
        meta_user_id: App-scoped id, from a verified `signed_request`.

    Returns:
        How many connections ended.
    """
    with transaction(engine) as connection:
        ended = connections.mark_revoked_by_user(connection, meta_user_id, REMOVED)
        forget_attempts(connection, meta_user_id)
        for connection_id, client_id in ended:
            # Reason: the audit log cannot forget, so it is not told who the user was.
            audit.record(connection, "connection.deauthorized", actor=ACTOR, client_id=client_id,
                         connection_id=connection_id)  # fmt: skip
    for connection_id, _ in ended:
        log.error("connection_deauthorized connection_id=%s", connection_id)
    return len(ended)


def request_deletion(engine: Engine, meta_user_id: str, now: datetime) -> str:
    """Note that a user at Meta wants their data deleted.

    The same request again gives the same code, also when it has been carried out, unless something
    of that user has come since.

    Args:
        engine: The owner's engine.
        meta_user_id: App-scoped id, from a verified `signed_request`.
        now: Current aware time.

    Returns:
        The confirmation code.
    """
    who = {"user_hash": _hash(meta_user_id), "meta_user_id": meta_user_id}
    with transaction(engine) as connection:
        latest = connection.execute(statement("deletion_latest"), who).first()
        if latest is not None and (latest.done_at is None or not latest.has_data):
            return str(latest.code)
        code = connection.scalar(
            statement("deletion_insert"), {**who, "code": secrets.token_urlsafe(18), "now": now}
        )
        if code is None:
            # Reason: the same request arrived a moment ago and was faster.
            return str(connection.execute(statement("deletion_latest"), who).one().code)
        audit.record(connection, "deletion.request", actor=ACTOR, code=code)
    return str(code)


def perform_deletions(engine: Engine, now: datetime) -> list[Deletion]:
    """Carry out what is open; each request in a transaction with all it deletes.

    Deleted: the sealed tokens of the user's connections, their id, name and scopes there, logins
    under way, their id and name as author of recorded changes, and updates that name them. Kept:
    the clients' accounts, objects and insights, and a hash that tells a repeated request from a
    new one.

    Args:
        engine: The owner's engine.
        now: Current aware time.
    """
    done = []
    with transaction(engine) as connection:
        for row in connection.execute(statement("deletion_open")).all():
            done.append(_delete(connection, row.request_id, row.code, row.meta_user_id, now))
    for found in done:
        log.info("deletion_done tokens=%s connections=%s", found.tokens, found.connections)
    return done


def deletion_status(engine: Engine, code: str) -> DeletionStatus | None:
    """The status behind a confirmation code; None when there is none."""
    if not 10 <= len(code) <= 100:
        return None
    with transaction(engine) as connection:
        row = connection.execute(statement("deletion_by_code"), {"code": code}).first()
    if row is None:
        return None
    return DeletionStatus("done" if row.done_at else "pending", row.requested_at, row.done_at)


def _delete(
    connection: Connection, request_id: int, code: str, meta_user_id: str, now: datetime
) -> Deletion:
    ended = connections.forget_user(connection, meta_user_id, FORGOTTEN)
    logins = forget_attempts(connection, meta_user_id)
    activities = connection.execute(
        statement("deletion_activities"), {"meta_user_id": meta_user_id}
    ).rowcount
    webhooks = forget_in_webhooks(connection, meta_user_id)
    found = Deletion(code, sum(had for *_, had in ended), len(ended), logins, activities, webhooks)
    told: dict[str, Any] = {n: v for n, v in vars(found).items() if n != "code"}
    connection.execute(
        statement("deletion_done"),
        {"request_id": request_id, "now": now, "deleted": json.dumps(told)},
    )
    for connection_id, client_id, _ in ended:
        audit.record(connection, "connection.deleted_on_request", actor=ACTOR,
                     client_id=client_id, connection_id=connection_id)  # fmt: skip
    audit.record(connection, "deletion.done", actor=ACTOR, **told, request=code)
    return found


def _hash(meta_user_id: str) -> bytes:
    return hashlib.sha256(f"adlab deletion|{meta_user_id}".encode()).digest()
