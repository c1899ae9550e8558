"""Invitations: a client connects its ad accounts by itself, and nobody here ever holds its token.

An invitation is for one client, works once, ends, and can be revoked. Its link carries a random
nonce, which whoever makes the link signs; the store keeps a hash of it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine

from adlab.core.errors import UnknownObjectError
from adlab.storage import audit
from adlab.storage import connections_flow as flow
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction

USUAL_HOURS = 168.0
MOST_HOURS = 720.0


@dataclass(frozen=True)
class Invitation:
    """A fresh invitation.

    Attributes:
        invite_id: Its number, for revoking.
        nonce: What its link carries, to be signed; shown once.
        client: Name of the client.
        expires_at: Aware UTC.
    """

    invite_id: int
    nonce: str
    client: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Invitation({self.invite_id}, …)"


@dataclass(frozen=True)
class InviteView:
    """What the page of an invitation shows: one client, and whether the link still holds."""

    invite_id: int
    client_id: int
    slug: str
    name: str
    brand: dict[str, Any]
    write: bool
    state: Literal["open", "used", "revoked", "expired"]


def invite(
    engine: Engine,
    slug: str,
    *,
    now: datetime,
    hours: float = USUAL_HOURS,
    write: bool = False,
    actor: str = audit.LOCAL_OWNER,
) -> Invitation:
    """Make an invitation for a client.

    Args:
        engine: The owner's engine.
        slug: The client.
        now: Current aware time.
        hours: How long it holds.
        write: Whether to ask for the right to change ads, too.
        actor: Who invites, for the audit log.

    Raises:
        UnknownObjectError: If there is no such client.
        ValueError: If the hours make no sense.
    """
    if not 0 < hours <= MOST_HOURS:
        raise ValueError(f"an invitation lasts up to {MOST_HOURS:g} hours, not {hours:g}")
    nonce, expires_at = secrets.token_urlsafe(24), now + timedelta(hours=hours)
    with transaction(engine) as connection:
        client = load_client(connection, slug)
        number = flow.store_invite(
            connection, client.client_id, nonce, write=write, created_by=actor, now=now,
            expires_at=expires_at,
        )  # fmt: skip
        audit.record(
            connection, "account.invite", actor=actor, client_id=client.client_id,
            invite_id=number, expires_at=expires_at, write=write,
        )  # fmt: skip
    return Invitation(number, nonce, client.name, expires_at)


def look_at(engine: Engine, nonce: str, now: datetime) -> InviteView | None:
    """The invitation of a nonce, whatever became of it; None when there was none."""
    if not 20 <= len(nonce) <= 200:
        return None
    with transaction(engine) as connection:
        row = flow.load_invite(connection, nonce)
    if row is None:
        return None
    state: Literal["open", "used", "revoked", "expired"] = (
        "used" if row["used_at"]
        else "revoked" if row["revoked_at"] or row["status"] != "active"
        else "expired" if row["expires_at"] <= now else "open"
    )  # fmt: skip
    return InviteView(
        row["invite_id"], row["client_id"], row["slug"], row["name"], row["brand"] or {},
        row["write"], state,
    )  # fmt: skip


def revoke_invitation(
    engine: Engine,
    invite_id: int,
    *,
    now: datetime,
    slug: str | None = None,
    actor: str = audit.LOCAL_OWNER,
) -> None:
    """End an invitation that nobody has used; logins it began end with it.

    Raises:
        UnknownObjectError: If there is none of that number open, or it is another client's.
    """
    with transaction(engine) as connection:
        wanted = load_client(connection, slug).client_id if slug else None
        client_id = flow.revoke_invite(connection, invite_id, now, wanted)
        if client_id is None:
            raise UnknownObjectError(
                f"There is no open invitation {invite_id}.", "See which are: adlab connection list"
            )
        audit.record(
            connection, "account.invite_revoked", actor=actor, client_id=client_id,
            invite_id=invite_id,
        )  # fmt: skip


def open_invitations(
    engine: Engine, now: datetime, slug: str | None = None
) -> list[dict[str, Any]]:
    """Open invitations: invite_id, slug, write, created_by, created_at, expires_at."""
    with transaction(engine) as connection:
        client_id = load_client(connection, slug).client_id if slug else None
        return flow.load_invites(connection, now, client_id)
