"""What is taken from people is gone at once: grants, roles and sessions that are still open."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from adlab.core.roles import Role
from adlab.exports.tables import safe
from adlab.storage import access, audit
from adlab.storage.access import Revoked
from adlab.storage.engine import transaction
from adlab.storage.logins import drop_expired_logins, end_overlong, end_sessions

log = logging.getLogger(__name__)

REVIEW_COLUMNS = (
    "name", "username", "agency_role", "disabled_at", "client", "role", "rights", "given",
    "granted_by", "granted_at", "until", "expired", "reason", "last_login_at", "last_seen_at",
)  # fmt: skip


def revoke(
    engine: Engine, name: str, slug: str | None, *, actor: str = audit.LOCAL_OWNER
) -> tuple[Revoked, int]:
    """Take a person's grants on a client, or all of them, and end the sessions that had them.

    Returns:
        What was taken, and how many of their sessions were ended.

    Raises:
        ConflictError: If the person's role sees every client.
        UnknownObjectError: If person, client or grant does not exist.
    """
    return _then_end(engine, lambda c: access.revoke(c, name, slug, actor=actor))


def disable(engine: Engine, name: str, *, actor: str = audit.LOCAL_OWNER) -> tuple[Revoked, int]:
    """Shut a person out, and end their sessions.

    Returns:
        Who, and how many of their sessions were ended.

    Raises:
        ConflictError: If they are the last owner.
        UnknownObjectError: If there is no such person.
    """
    return _then_end(engine, lambda c: access.disable(c, name, actor=actor))


def set_role(
    engine: Engine, name: str, role: Role, *, actor: str = audit.LOCAL_OWNER
) -> tuple[Revoked, int]:
    """Change a person's role in the agency, and end sessions that began under the earlier one.

    Returns:
        Who, and how many of their sessions were ended.

    Raises:
        ConflictError: If they are the last owner.
        UnknownObjectError: If there is no such person.
    """
    return _then_end(engine, lambda c: access.set_role(c, name, role, actor=actor))


def _then_end(engine: Engine, take: Callable[[Connection], Revoked]) -> tuple[Revoked, int]:
    with transaction(engine) as connection:
        taken = take(connection)
    # Reason: after the commit. A transaction that began before sees what stood when it began, and
    # may hold what it read in temporary tables; nothing but its end takes that away.
    with transaction(engine) as connection:
        ended = end_sessions(connection, taken.logins)
    if ended:
        log.info("sessions_ended person=%s count=%d", taken.name, ended)
    return taken, ended


def watch_sessions(engine: Engine) -> int:
    """Drop logins whose time is over, and end sessions that take more than their role may.

    Returns:
        How many logins and sessions were ended.
    """
    with transaction(engine) as connection:
        late = end_overlong(connection)
    with transaction(engine) as connection:
        dropped = drop_expired_logins(connection)
    for one in late:
        log.warning(
            "session_ended login=%s seconds=%d limit=%d idle=%s",
            one.login, one.seconds, one.limit, one.idle,
        )  # fmt: skip
    return len(late) + dropped


def review_csv(rows: Sequence[dict[str, Any]]) -> str:
    """An access review as CSV: UTF-8, CRLF line ends, times in UTC, no cell a formula."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    write(REVIEW_COLUMNS)
    for row in rows:
        write([_cell(row[c]) for c in REVIEW_COLUMNS])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return safe(value)
