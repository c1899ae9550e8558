"""Dialogs with Meta that are under way, and invitations to begin one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adlab.storage.access import hash_token
from adlab.storage.statements import statement


@dataclass(frozen=True)
class Attempt:
    """A dialog that begins.

    Attributes:
        state: What Meta hands back; kept as a hash.
        browser: What the browser's cookie holds; kept as a hash.
        client_id: The client.
        person_id: Who began it; None with an invitation.
        invite_id: The invitation; None with a person.
        write: Whether changes are to be allowed, too.
        redirect_uri: Where Meta sends the browser back to, the same in both steps.
    """

    state: str
    browser: str
    client_id: int
    person_id: int | None
    invite_id: int | None
    write: bool
    redirect_uri: str


def store_attempt(
    connection: Connection, attempt: Attempt, now: datetime, expires_at: datetime
) -> int:
    """Keep a dialog that begins; its number."""
    found: int | None = connection.scalar(
        statement("attempt_insert"),
        {
            "state_hash": hash_token(attempt.state), "browser_hash": hash_token(attempt.browser),
            "client_id": attempt.client_id, "person_id": attempt.person_id,
            "invite_id": attempt.invite_id, "write": attempt.write,
            "redirect_uri": attempt.redirect_uri, "now": now, "expires_at": expires_at,
        },
    )  # fmt: skip
    assert found is not None
    return found


def load_attempt_of_state(connection: Connection, state: str) -> dict[str, Any] | None:
    """The dialog of a state, whatever became of it."""
    return _one(connection, "attempt_by_state", {"state_hash": hash_token(state)})


def load_attempt_of_browser(
    connection: Connection, browser: str, now: datetime
) -> dict[str, Any] | None:
    """The newest dialog of a browser that is neither over nor done."""
    return _one(connection, "attempt_of_browser", {"browser_hash": hash_token(browser), "now": now})


def use_state(connection: Connection, attempt_id: int, now: datetime) -> bool:
    """Use a state up; False when it was used before, or is over."""
    found = connection.scalar(statement("attempt_answer"), {"attempt_id": attempt_id, "now": now})
    return found is not None


def keep_token(
    connection: Connection,
    attempt_id: int,
    token_sealed: bytes | None,
    meta_user_id: str | None,
    facts: Mapping[str, Any],
    expires_at: datetime,
) -> None:
    """Keep a sealed token until accounts are chosen, with what the choice needs."""
    connection.execute(
        statement("attempt_keep"),
        {
            "attempt_id": attempt_id, "token_sealed": token_sealed,
            "meta_user_id": meta_user_id, "facts": json.dumps(dict(facts)),
            "expires_at": expires_at,
        },
    )  # fmt: skip


def finish_attempt(connection: Connection, attempt_id: int, now: datetime) -> bool:
    """End a dialog and forget its token; False when it was ended before."""
    found = connection.scalar(statement("attempt_done"), {"attempt_id": attempt_id, "now": now})
    return found is not None


def prune_attempts(connection: Connection, now: datetime) -> int:
    """Forget dialogs that are over; how many."""
    return connection.execute(statement("attempt_prune"), {"now": now}).rowcount


def forget_attempts(connection: Connection, meta_user_id: str) -> int:
    """Forget dialogs of a user at Meta; how many."""
    rows = connection.scalars(statement("attempt_forget_user"), {"meta_user_id": meta_user_id})
    return len(rows.all())


def store_invite(
    connection: Connection,
    client_id: int,
    nonce: str,
    *,
    write: bool,
    created_by: str,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Keep an invitation, its nonce as a hash; its number."""
    found: int | None = connection.scalar(
        statement("invite_insert"),
        {
            "client_id": client_id, "nonce_hash": hash_token(nonce), "write": write,
            "created_by": created_by, "now": now, "expires_at": expires_at,
        },
    )  # fmt: skip
    assert found is not None
    return found


def load_invite(
    connection: Connection, nonce: str | None = None, invite_id: int | None = None
) -> dict[str, Any] | None:
    """An invitation by its nonce or number, whatever became of it."""
    values = {"nonce_hash": hash_token(nonce) if nonce else None, "invite_id": invite_id}
    return _one(connection, "invite_by_nonce", values)


def use_invite(connection: Connection, invite_id: int, now: datetime) -> bool:
    """Use an invitation up; False when it was used or revoked before, or is over."""
    found = connection.scalar(statement("invite_use"), {"invite_id": invite_id, "now": now})
    return found is not None


def revoke_invite(
    connection: Connection, invite_id: int, now: datetime, client_id: int | None = None
) -> int | None:
    """End an invitation nobody has used; its client, or None when there is none open."""
    found: int | None = connection.scalar(
        statement("invite_revoke"), {"invite_id": invite_id, "now": now, "client_id": client_id}
    )
    return found


def load_invites(
    connection: Connection, now: datetime, client_id: int | None = None
) -> list[dict[str, Any]]:
    """Open invitations, perhaps of one client."""
    rows = connection.execute(statement("invite_list"), {"client_id": client_id, "now": now})
    return [dict(r) for r in rows.mappings()]


def _one(connection: Connection, name: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
    row = connection.execute(statement(name), dict(values)).mappings().first()
    return None if row is None else dict(row)
