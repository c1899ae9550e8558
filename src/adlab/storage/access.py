"""People, their grants, and the logins that carry them into the database.

The rules, in plain words: a person sees a client when a grant says so, the grant's role includes
seeing data, neither grant nor login has expired, and the person is not disabled. Agency-wide roles
(owner, admin) are granted every client by the database itself, also clients added later. A login
belongs to one person; it can read schema `api` and nothing else.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, text

from adlab.core.errors import AccessDeniedError, ConflictError, UnknownObjectError
from adlab.core.roles import Limits, Role, limits_of
from adlab.storage import audit
from adlab.storage.clients import check_name, load_client
from adlab.storage.engine import BOARDS_ROLE, OWNER_ROLE, READER_ROLE
from adlab.storage.roles import limit_login
from adlab.storage.statements import statement

CREDENTIAL_HOURS = 12
NONE_GIVEN = "none given"
# The service of the boards, before it takes a viewer's role and that role's limits.
BOARDS_LIMITS = Limits(statement_seconds=60, idle_seconds=600, connections=50, rows=200_000)
_USERNAME = re.compile(r"^[a-z0-9][a-z0-9._@+-]{0,62}$")


def username_of(name: str) -> str:
    """A username from a name: `Ann Lee` becomes `ann-lee`, `ann@agency.com` stays."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._@+-]+", "-", plain).strip("-._@+")[:63] or "person"


def check_username(username: str) -> str:
    """A username fit for addresses and folders.

    Raises:
        ValueError: If it is not.
    """
    if not _USERNAME.match(username):
        raise ValueError(
            f"{username!r} is no username; use lower-case letters, digits and . _ @ + -"
        )
    return username


def store_person(connection: Connection, name: str, role: Role, username: str | None = None) -> int:
    """Add a person, with a role of their own for the boards.

    Args:
        connection: An operator's transaction.
        name: What people call them.
        role: Their role in the agency.
        username: What they log in with; made from the name when omitted.

    Returns:
        The person's id.

    Raises:
        ConflictError: If name or username is taken.
        ValueError: If the name is empty or too long, or the username malformed.
    """
    title = check_name(name, "a person's name", 100)
    login_name = check_username(username or username_of(title))
    person_id: int | None = connection.scalar(
        statement("person_insert"),
        {
            "name": title,
            "username": login_name,
            "role": role.value,
        },
    )
    if person_id is None:
        raise ConflictError(
            f"There is a person {title!r} already, or the username {login_name!r} is taken.",
            "Use another name, or another --username.",
        )
    # Reason: opaque names, because every login can list the roles of the cluster.
    viewer = f"v_{secrets.token_hex(6)}"
    connection.execute(text(f"CREATE ROLE {viewer} NOLOGIN"))
    connection.execute(text(f"GRANT {READER_ROLE} TO {viewer}"))
    connection.execute(text(f"GRANT {viewer} TO {BOARDS_ROLE} WITH INHERIT FALSE, SET TRUE"))
    connection.execute(
        statement("login_insert"),
        {
            "login": viewer,
            "person_id": person_id,
            "kind": "viewer",
            "expires_at": None,
            "client_id": None,
        },
    )
    connection.execute(statement("access_analyze"))
    audit.record(connection, "user.add", person=title, role=role.value)
    return person_id


def load_person(connection: Connection, name: str) -> dict[str, Any]:
    """The person of that name: person_id, name, role, all_clients, disabled_at, viewer.

    Raises:
        UnknownObjectError: If there is none.
    """
    row = connection.execute(statement("person_by_name"), {"name": name}).mappings().first()
    if row is None:
        raise UnknownObjectError(
            f"There is no person {name!r}.", f"Add them: adlab user add {name!r} --role analyst"
        )
    return dict(row)


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
    connection.execute(
        statement("access_grant"),
        {
            "person_id": person["person_id"],
            "client_id": client.client_id,
            "role": role.value,
            "break_glass": False,
            "granted_by": actor,
            "expires_at": until,
            "reason": reason or NONE_GIVEN,
        },
    )
    connection.execute(statement("access_analyze"))
    audit.record(
        connection,
        "user.grant",
        actor=actor,
        client_id=client.client_id,
        person=name,
        role=role.value,
        until=until or NONE_GIVEN,
        reason=reason or NONE_GIVEN,
    )


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
    client_id = None if client is None else _client_of(connection, person, client)
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


def _client_of(connection: Connection, person: Mapping[str, Any], slug: str) -> int:
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


def drop_credential(connection: Connection, login: str) -> bool:
    """Drop a notebook's login before its time.

    Returns:
        Whether there was such a login.
    """
    found = connection.scalar(statement("login_drop"), {"login": login})
    if found is None:
        return False
    # Reason: sessions that are still open see nothing from here on, because their login is unknown.
    connection.execute(text(f"DROP ROLE IF EXISTS {found}"))
    connection.execute(statement("login_forget"), {"login": login})
    return True


def drop_expired_logins(connection: Connection) -> int:
    """Drop logins of notebooks whose time is over; open sessions of theirs see nothing already.

    Returns:
        How many were dropped.
    """
    expired = connection.scalars(statement("login_expired")).all()
    for login in expired:
        connection.execute(text(f"DROP ROLE IF EXISTS {login}"))
        connection.execute(statement("login_forget"), {"login": login})
    return len(expired)


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
