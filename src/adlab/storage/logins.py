"""Logins that carry people into the database: short-lived, limited, and ended when told to."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, text

from adlab.core.errors import AccessDeniedError, UnknownObjectError
from adlab.core.roles import Limits, limits_of
from adlab.storage import audit, query_log
from adlab.storage.clients import load_client
from adlab.storage.engine import BOARDS_ROLE, OWNER_ROLE, READER_ROLE
from adlab.storage.people import load_person
from adlab.storage.roles import limit_login
from adlab.storage.statements import statement

CREDENTIAL_HOURS = 12
# The service of the boards, before it takes a viewer's role and that role's limits.
BOARDS_LIMITS = Limits(statement_seconds=60, idle_seconds=600, connections=50, rows=200_000)


def create_credential(
    connection: Connection,
    name: str,
    hours: float = CREDENTIAL_HOURS,
    client: str | None = None,
    *,
    actor: str = audit.LOCAL_OWNER,
) -> tuple[str, str]:
    """Make a short-lived login of a person.

    Args:
        connection: An operator's transaction.
        name: The person.
        hours: How long it works.
        client: Slug of the one client it may see; all of the person's clients when omitted.
        actor: Who asks for it, for the audit log.

    Returns:
        Login and password; the password is stored nowhere else.

    Raises:
        UnknownObjectError: If there is no such person or client, or they are disabled.
        AccessDeniedError: If the person does not see that client.
    """
    person = load_person(connection, name)
    if person["disabled_at"] is not None:
        raise UnknownObjectError(
            f"{name!r} is disabled.", f"Enable them first: adlab user enable {name!r}"
        )
    client_id = None if client is None else client_seen_by(connection, person, client)
    drop_expired_logins(connection)
    login, password = f"nb_{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    expires = datetime.now(UTC) + timedelta(hours=hours)
    _create_login(connection, login, password, expires, READER_ROLE)
    limit_login(connection, login, limits_of(person["role"]))
    connection.execute(text(f"ALTER ROLE {login} SET default_transaction_read_only = on"))
    connection.execute(
        statement("login_insert"),
        {
            "login": login,
            "person_id": person["person_id"],
            "kind": "notebook",
            "expires_at": expires,
            "client_id": client_id,
        },
    )
    connection.execute(statement("access_analyze"))
    audit.record(
        connection, "user.credential", actor=actor, client_id=client_id, person=person["name"],
        login=login, expires_at=expires,
    )  # fmt: skip
    return login, password


def client_seen_by(connection: Connection, person: Mapping[str, Any], slug: str) -> int:
    """The number of a client that a person sees.

    Raises:
        AccessDeniedError: If they do not see it.
        UnknownObjectError: If there is none.
    """
    client = load_client(connection, slug)
    seen = connection.scalar(
        statement("access_sees"),
        {"person_id": person["person_id"], "client_id": client.client_id},
    )
    if not seen:
        raise AccessDeniedError(
            f"{person['name']!r} does not see client {slug!r}.",
            f"Grant it first: adlab user grant {person['username']} --client {slug} --role analyst",
        )
    return client.client_id


def create_boards_login(connection: Connection, hours: float = 24 * 30) -> tuple[str, str]:
    """Make a login for the boards' service: it may become each viewer, and is nobody itself."""
    for old in connection.scalars(
        text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'sb\\_%' AND rolvaliduntil < now()")
    ).all():
        connection.execute(text(f"DROP ROLE IF EXISTS {old}"))
    login, password = f"sb_{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    expires = datetime.now(UTC) + timedelta(hours=hours)
    _create_login(connection, login, password, expires, BOARDS_ROLE)
    limit_login(connection, login, BOARDS_LIMITS)
    return login, password


def _create_login(
    connection: Connection, login: str, password: str, expires: datetime, group: str
) -> None:
    # Reason: identifiers and passwords are our own url-safe random text; DDL takes no parameters.
    connection.execute(
        text(
            f"CREATE ROLE {login} LOGIN PASSWORD '{password}' "
            f"VALID UNTIL '{expires.isoformat()}' IN ROLE {group}"
        )
    )
    # Reason: ending somebody's session needs their role's privileges; the owner inherits them and
    # gains nothing, since it owns all that people read. It cannot become them.
    connection.execute(text(f"GRANT {login} TO {OWNER_ROLE} WITH INHERIT TRUE, SET FALSE"))


def rotate_credential(
    connection: Connection, login: str, hours: float = CREDENTIAL_HOURS
) -> tuple[str, datetime]:
    """Give a login a new password and a later end; sessions that are open go on.

    Args:
        connection: An operator's transaction.
        login: A notebook's login whose time is not over.
        hours: How long it works from now on.

    Returns:
        The new password, and when the login ends (aware UTC).

    Raises:
        UnknownObjectError: If there is no such login, or its time is over: make a new one then.
    """
    row = connection.execute(statement("login_live"), {"login": login}).first()
    if row is None:
        raise UnknownObjectError(
            f"There is no login {login!r} that still works.", "Make one: adlab user credential NAME"
        )
    password, expires = secrets.token_urlsafe(24), datetime.now(UTC) + timedelta(hours=hours)
    connection.execute(
        text(f"ALTER ROLE {row.login} PASSWORD '{password}' VALID UNTIL '{expires.isoformat()}'")
    )
    connection.execute(statement("login_extend"), {"login": row.login, "expires_at": expires})
    audit.record(
        connection, "user.credential", client_id=row.client_id, person=row.name, login=row.login,
        expires_at=expires, rotated=True,
    )  # fmt: skip
    return password, expires


def drop_credential(connection: Connection, login: str) -> bool:
    """Drop a notebook's login before its time, and end its sessions.

    Returns:
        Whether there was such a login.
    """
    found = connection.scalar(statement("login_drop"), {"login": login})
    if found is None:
        return False
    # Reason: what it asked is known by its role, which is gone in a moment.
    query_log.collect(connection)
    _drop(connection, found)
    return True


def drop_expired_logins(connection: Connection) -> int:
    """Drop logins of notebooks whose time is over, and end what sessions they still have.

    Returns:
        How many were dropped.
    """
    expired = connection.scalars(statement("login_expired")).all()
    if expired:
        query_log.collect(connection)
    for login in expired:
        _drop(connection, login)
    return len(expired)


def _drop(connection: Connection, login: str) -> None:
    connection.execute(statement("login_forget"), {"login": login})
    if connection.scalar(text("SELECT to_regrole(:login)"), {"login": login}) is None:
        return
    # Reason: whoever is connected would stay so after the role is gone.
    connection.execute(text(f"ALTER ROLE {login} NOLOGIN"))
    end_sessions(connection, [login])
    connection.execute(text(f"DROP ROLE IF EXISTS {login}"))


def end_sessions(connection: Connection, logins: Sequence[str]) -> int:
    """End every open session of these logins, and of no others.

    Args:
        connection: An operator's transaction.
        logins: Logins made by adlab.

    Returns:
        How many sessions were ended.
    """
    for login in logins:
        # Reason: logins made by earlier versions lack it.
        connection.execute(text(f"GRANT {login} TO {OWNER_ROLE} WITH INHERIT TRUE, SET FALSE"))
    return int(connection.scalar(statement("session_end"), {"logins": list(logins)}) or 0)


def logins_of(connection: Connection, person_id: int, client_id: int | None = None) -> list[str]:
    """Notebook logins of a person that reach a client, or all of them."""
    return list(
        connection.scalars(
            statement("login_of_person"), {"person_id": person_id, "client_id": client_id}
        )
    )


@dataclass(frozen=True)
class Overlong:
    """A session that was ended because it took more than its role may.

    Attributes:
        login: Its login.
        person: Whose it was.
        seconds: How long the statement ran, or the transaction lay idle.
        limit: Seconds the role allows.
        idle: Whether it lay idle inside a transaction.
    """

    login: str
    person: str
    seconds: int
    limit: int
    idle: bool


def end_overlong(
    connection: Connection, grace_seconds: int = 5, patience_seconds: int = 3
) -> list[Overlong]:
    """End sessions of notebooks that run, or hold a transaction open, beyond their role's limit.

    Also those that keep others waiting for what they wrote: a person who notes something and does
    not commit holds the end of the audit log, and with it everybody who writes an entry.

    Reason: a person may switch their session's own limits off; this one is out of their reach.
    The session is ended, not the statement, because a block of code may catch a cancelled one.

    Args:
        connection: An operator's transaction.
        grace_seconds: Time beyond the limit, so that the session's own limit strikes first.
        patience_seconds: How long others wait for a session of a notebook.

    Returns:
        What was ended; each has an entry in the audit log.
    """
    found = [
        Overlong(**row)
        for row in connection.execute(
            statement("session_overlong"),
            {"grace": grace_seconds, "patience": patience_seconds},
        ).mappings()
    ]
    for one in found:
        audit.record(
            connection, "session.end", actor="watchdog", person=one.person, login=one.login,
            seconds=one.seconds, limit=one.limit, idle=one.idle,
        )  # fmt: skip
    return found


def create_login_link(
    connection: Connection,
    name: str,
    hours: float = 24,
    purpose: Literal["login", "password"] = "login",
) -> str:
    """Make a one-time token that logs a person in, or lets them choose a password first.

    Returns:
        The token; only its hash is stored.
    """
    person = load_person(connection, name)
    token = secrets.token_urlsafe(32)
    connection.execute(statement("login_link_prune"))
    connection.execute(
        statement("login_link_insert"),
        {
            "hash": hash_token(token),
            "person_id": person["person_id"],
            "purpose": purpose,
            "expires_at": datetime.now(UTC) + timedelta(hours=hours),
        },
    )
    audit.record(connection, "user.link", person=person["name"], purpose=purpose, hours=hours)
    return token


def hash_token(token: str) -> bytes:
    """What the store keeps of a one-time token."""
    return hashlib.sha256(token.encode()).digest()
