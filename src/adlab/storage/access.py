"""Who may see which client, as what, until when and why.

The rules, in plain words: a person sees a client when a grant says so, the grant's role includes
seeing data, neither grant nor login has expired, and the person is not disabled. Agency-wide roles
(owner, admin) are granted every client by the database itself, also clients added later. Grants
given by somebody, implied by a role and broken out of the glass stand side by side. A login belongs
to one person; it can read schema `api` and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from adlab.core.errors import ConflictError, UnknownObjectError
from adlab.core.roles import ROLES, Right, Role, limits_of
from adlab.storage import audit
from adlab.storage.clients import load_client
from adlab.storage.logins import (
    CREDENTIAL_HOURS,
    create_boards_login,
    create_credential,
    create_login_link,
    drop_credential,
    drop_expired_logins,
    hash_token,
    logins_of,
    rotate_credential,
)
from adlab.storage.people import (
    check_line,
    check_username,
    load_person,
    store_person,
    username_of,
)
from adlab.storage.roles import limit_login
from adlab.storage.statements import statement

# Reason: people, logins and grants are asked for in one place by most callers.
__all__ = [
    "CREDENTIAL_HOURS", "NONE_GIVEN", "Revoked", "break_glass", "check_username",
    "create_boards_login", "create_credential", "create_login_link", "disable",
    "drop_credential", "drop_expired_logins", "enable", "grant", "hash_token", "load_person",
    "review", "revoke", "rotate_credential", "set_role", "store_person", "username_of",
]  # fmt: skip

NONE_GIVEN = "none given"
BREAK_GLASS_HOURS, BREAK_GLASS_LONGEST = 4.0, 24.0


def grant(
    connection: Connection,
    name: str,
    slug: str,
    role: Role,
    until: datetime | None = None,
    reason: str | None = None,
    *,
    actor: str = audit.LOCAL_OWNER,
) -> None:
    """Give a person a role on a client, replacing an earlier grant on it.

    Args:
        connection: An operator's transaction.
        name: The person.
        slug: The client.
        role: What they may do there.
        until: When it ends; None means no end.
        reason: Why; kept for the access review.
        actor: Who grants it, by name.

    Raises:
        UnknownObjectError: If person or client does not exist.
        ValueError: If `until` is past.
    """
    person = load_person(connection, name)
    client = load_client(connection, slug)
    if until is not None and until <= datetime.now(UTC):
        raise ValueError(f"--until {until:%Y-%m-%d %H:%M} is in the past")
    why = check_line(reason, "a reason", 500) if reason else NONE_GIVEN
    _store(connection, person, client.client_id, role, until, why, actor, break_glass=False)
    audit.record(
        connection, "user.grant", actor=actor, client_id=client.client_id, person=person["name"],
        role=role.value, until=until or NONE_GIVEN, reason=why,
    )  # fmt: skip


def _store(
    connection: Connection, person: Mapping[str, Any], client_id: int, role: Role,
    until: datetime | None, reason: str, actor: str, *, break_glass: bool,
) -> None:  # fmt: skip
    connection.execute(
        statement("access_grant"),
        {
            "person_id": person["person_id"],
            "client_id": client_id,
            "role": role.value,
            "break_glass": break_glass,
            "granted_by": actor,
            "expires_at": until,
            "reason": reason,
        },
    )
    connection.execute(statement("access_analyze"))


def break_glass(
    connection: Connection,
    name: str,
    slug: str,
    reason: str,
    hours: float = BREAK_GLASS_HOURS,
    role: Role | None = None,
    *,
    actor: str = audit.LOCAL_OWNER,
) -> datetime:
    """Open a client to a person for a few hours, beside whatever they were granted before.

    Args:
        connection: An operator's transaction.
        name: The person.
        slug: The client.
        reason: Why it cannot wait; obligatory.
        hours: How long, at most 24.
        role: What they are there; their role in the agency when omitted.
        actor: Who opens it, by name.

    Returns:
        When it ends by itself (aware UTC).

    Raises:
        ConflictError: If the person's role sees every client anyway.
        UnknownObjectError: If person or client does not exist, or the person is disabled.
        ValueError: If there is no reason, too many hours, or a role that sees nothing.
    """
    why = check_line(reason, "a reason", 500)
    if not 0 < hours <= BREAK_GLASS_LONGEST:
        raise ValueError(f"--hours is more than 0 and at most {BREAK_GLASS_LONGEST:g}")
    person, client = load_person(connection, name), load_client(connection, slug)
    if person["disabled_at"] is not None:
        raise UnknownObjectError(
            f"{person['name']!r} is disabled.", f"Enable them first: adlab user enable {name!r}"
        )
    if person["all_clients"]:
        raise ConflictError(
            f"{person['name']!r} sees every client as {person['role']}; there is no glass to break."
        )
    wanted = role or Role(person["role"])
    if Right.SEE_DATA not in ROLES[wanted].rights:
        raise ValueError(f"the role {wanted.value} sees no data; say which: --role analyst")
    until = datetime.now(UTC) + timedelta(hours=hours)
    _store(connection, person, client.client_id, wanted, until, why, actor, break_glass=True)
    audit.record(
        connection, "user.break_glass", actor=actor, client_id=client.client_id,
        person=person["name"], role=wanted.value, until=until, reason=why,
    )  # fmt: skip
    return until


@dataclass(frozen=True)
class Revoked:
    """What was taken from a person.

    Attributes:
        name: The person.
        clients: Slugs of the clients they no longer see.
        logins: Their notebooks' logins whose sessions are to be ended.
    """

    name: str
    clients: tuple[str, ...]
    logins: tuple[str, ...]


def revoke(
    connection: Connection,
    name: str,
    slug: str | None = None,
    *,
    actor: str = audit.LOCAL_OWNER,
) -> Revoked:
    """Take a person's grants on a client, or on all of them; broken glass included.

    Their next statement sees nothing of it. End the sessions of `Revoked.logins` after the commit,
    because a transaction that began before may go on seeing what it saw.

    Args:
        connection: An operator's transaction.
        name: The person.
        slug: The client; every client when None.
        actor: Who takes it, by name.

    Raises:
        ConflictError: If the person's role sees every client; says what to do.
        UnknownObjectError: If person, client or grant does not exist.
    """
    person = load_person(connection, name)
    client = None if slug is None else load_client(connection, slug)
    if person["all_clients"]:
        raise ConflictError(
            f"{person['name']!r} sees every client as {person['role']}, not by a grant.",
            f"Change the role (adlab user role {person['username']} analyst) and grant single "
            f"clients, or disable them: adlab user disable {person['username']}",
        )
    client_id = None if client is None else client.client_id
    taken = connection.execute(
        statement("access_revoke"), {"person_id": person["person_id"], "client_id": client_id}
    ).all()
    if not taken:
        held = connection.scalars(
            statement("report_writer_clients"), {"person_id": person["person_id"]}
        ).all()
        raise UnknownObjectError(
            f"{person['name']!r} has no grant{'' if slug is None else f' on client {slug!r}'}.",
            f"They see: {', '.join(held) or 'no client'}.",
        )
    connection.execute(statement("access_analyze"))
    for row in taken:
        audit.record(
            connection, "user.revoke", actor=actor, client_id=row.client_id,
            person=person["name"], role=row.role, break_glass=row.break_glass,
        )  # fmt: skip
    return Revoked(
        person["name"],
        tuple(sorted({row.slug for row in taken})),
        tuple(logins_of(connection, person["person_id"], client_id)),
    )


def disable(connection: Connection, name: str, *, actor: str = audit.LOCAL_OWNER) -> Revoked:
    """Shut a person out of everything; their grants stay for when they come back.

    Raises:
        ConflictError: If they are the last owner.
        UnknownObjectError: If there is no such person.
    """
    person = load_person(connection, name)
    keep_an_owner(connection, person)
    connection.execute(
        statement("person_disable"), {"person_id": person["person_id"], "disabled": True}
    )
    audit.record(connection, "user.disable", actor=actor, person=person["name"])
    return Revoked(person["name"], (), tuple(logins_of(connection, person["person_id"])))


def enable(connection: Connection, name: str, *, actor: str = audit.LOCAL_OWNER) -> str:
    """Let a disabled person in again, with the grants they had.

    Returns:
        Their name.

    Raises:
        UnknownObjectError: If there is no such person.
    """
    person = load_person(connection, name)
    connection.execute(
        statement("person_disable"), {"person_id": person["person_id"], "disabled": False}
    )
    audit.record(connection, "user.enable", actor=actor, person=person["name"])
    return str(person["name"])


def set_role(
    connection: Connection, name: str, role: Role, *, actor: str = audit.LOCAL_OWNER
) -> Revoked:
    """Change a person's role in the agency; what it implies follows at once.

    Returns:
        Whose sessions are to be ended after the commit, since they run under the earlier limits.

    Raises:
        ConflictError: If they are the last owner.
        UnknownObjectError: If there is no such person.
    """
    person = load_person(connection, name)
    if role is not Role.OWNER:
        keep_an_owner(connection, person)
    connection.execute(
        statement("person_set_role"), {"person_id": person["person_id"], "role": role.value}
    )
    connection.execute(statement("access_analyze"))
    logins = logins_of(connection, person["person_id"])
    for login in logins:
        limit_login(connection, login, limits_of(role.value))
    audit.record(
        connection, "user.role", actor=actor, person=person["name"], before=person["role"],
        role=role.value,
    )  # fmt: skip
    return Revoked(person["name"], (), tuple(logins))


def keep_an_owner(connection: Connection, person: Mapping[str, Any]) -> None:
    """Make sure that somebody else owns the installation.

    Raises:
        ConflictError: If that person is the last owner who can log in.
    """
    # Reason: rows are locked, so that two owners cannot shut each other out at one moment.
    owners = connection.scalars(statement("person_owners_lock"), {"role": Role.OWNER.value}).all()
    if list(owners) == [person["person_id"]]:
        raise ConflictError(
            f"{person['name']!r} is the last owner who can log in.",
            "Make somebody else owner first: adlab user role NAME owner",
        )


def review(connection: Connection) -> list[dict[str, Any]]:
    """Every person and what they hold, for an access review: a row a grant, or one without any.

    Columns: name, username, agency_role, disabled_at, client, role, rights (of that role, joined
    by spaces), given (granted, implied or break-glass), granted_by, granted_at, until, expired,
    reason, last_login_at, last_seen_at. Times are aware UTC; `until` None means no end.
    """
    rows = []
    for row in connection.execute(statement("access_review")).mappings():
        role = row["role"] or row["agency_role"]
        rights = sorted(ROLES[Role(role)].rights) if role in {r.value for r in Role} else []
        rows.append({**row, "rights": " ".join(rights)})
    return rows
