"""People: a name, a username, a role in the agency, and a role of the database for the boards."""

from __future__ import annotations

import re
import secrets
import unicodedata
from typing import Any

from sqlalchemy import Connection, text

from adlab.core.errors import ConflictError, UnknownObjectError
from adlab.core.roles import Role
from adlab.storage import audit
from adlab.storage.clients import check_name
from adlab.storage.engine import BOARDS_ROLE, READER_ROLE
from adlab.storage.statements import statement

_USERNAME = re.compile(r"^[a-z0-9][a-z0-9._@+-]{0,62}$")
# Reason: overrides of the writing direction let a name read as another person's.
_DECEIVING = re.compile("[\u202a-\u202e\u2066-\u2069]")


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


def check_line(text: str, what: str, longest: int) -> str:
    """A text of one line that shows as it was typed.

    Raises:
        ValueError: If it is empty, too long, or holds signs that break or reorder the line.
    """
    line = check_name(text, what, longest)
    if any(unicodedata.category(c) == "Cc" for c in line) or _DECEIVING.search(line):
        raise ValueError(f"{what} is one line without control characters")
    return line


def check_person_name(name: str) -> str:
    """A person's name as it is stored.

    Raises:
        ValueError: As `check_line` does.
    """
    return check_line(name, "a person's name", 100)


def store_person(
    connection: Connection,
    name: str,
    role: Role,
    username: str | None = None,
    *,
    actor: str = audit.LOCAL_OWNER,
) -> int:
    """Add a person, with a role of their own for the boards.

    Args:
        connection: An operator's transaction.
        name: What people call them.
        role: Their role in the agency.
        username: What they log in with; made from the name when omitted.
        actor: Who adds them, by name.

    Returns:
        The person's id.

    Raises:
        ConflictError: If name or username is taken.
        ValueError: If the name is empty or too long, or the username malformed.
    """
    title = check_person_name(name)
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
    audit.record(connection, "user.add", actor=actor, person=title, role=role.value)
    return person_id


def load_person(connection: Connection, name: str) -> dict[str, Any]:
    """The person of that name or username.

    Returns:
        person_id, name, username, role, all_clients, disabled_at and viewer (their board's role).

    Raises:
        UnknownObjectError: If there is none.
    """
    row = connection.execute(statement("person_by_name"), {"name": name}).mappings().first()
    if row is None:
        raise UnknownObjectError(
            f"There is no person {name!r}.", f"Add them: adlab user add {name!r} --role analyst"
        )
    return dict(row)
