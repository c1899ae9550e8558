"""Tokens of the REST API as rows: whose, what for, until when, revoked or not; no token itself."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adlab.core.errors import AccessDeniedError, UnknownObjectError
from adlab.core.roles import Right, has_right
from adlab.storage import audit
from adlab.storage.access import load_person
from adlab.storage.clients import check_name
from adlab.storage.logins import client_seen_by
from adlab.storage.statements import statement

MOST_DAYS = 366


@dataclass(frozen=True)
class ApiToken:
    """A token that was made.

    Attributes:
        jti: Its number.
        person_id: Whose it is.
        person: That person's name.
        clients: Slugs it is narrowed to; None for all of theirs.
        expires_at: Until when (aware UTC).
    """

    jti: str
    person_id: int
    person: str
    clients: tuple[str, ...] | None
    expires_at: datetime


def store_token(
    connection: Connection,
    person_name: str,
    *,
    name: str,
    scopes: Sequence[str],
    clients: Sequence[str] | None,
    expires_at: datetime,
    actor: str = audit.LOCAL_OWNER,
) -> ApiToken:
    """Keep a new token of a person.

    Args:
        connection: An operator's transaction.
        person_name: Whose token; a person, or a service.
        name: What it is for, in words.
        scopes: What it may do.
        clients: Slugs it is narrowed to; None for all that the person may see.
        expires_at: Until when.
        actor: Who makes it.

    Raises:
        AccessDeniedError: If the person is disabled, does not see one of the clients, or has a role
            that does not use the API.
        UnknownObjectError: If person or a client does not exist.
        ValueError: If the name is empty or too long.
    """
    person = load_person(connection, person_name)
    title = check_name(name, "a token's name", 100)
    if person["disabled_at"] is not None:
        raise AccessDeniedError(f"{person['name']!r} is disabled.", "Enable the person first.")
    if not has_right(person["role"], Right.USE_API):
        raise AccessDeniedError(
            f"{person['name']!r} is {person['role']}, a role that does not use the REST API.",
            'Add a service for a program: adlab user add "Nightly export" --role service',
        )
    numbers = None
    if clients is not None:
        numbers = [client_seen_by(connection, person, slug) for slug in dict.fromkeys(clients)]
    jti = secrets.token_hex(12)
    connection.execute(statement("api_token_prune"))
    connection.execute(
        statement("api_token_insert"),
        {
            "jti": jti, "person_id": person["person_id"], "name": title, "scopes": list(scopes),
            "client_ids": numbers, "created_by": actor, "expires_at": expires_at,
        },
    )  # fmt: skip
    audit.record(
        connection, "token.create", actor=actor,
        client_id=numbers[0] if numbers is not None and len(numbers) == 1 else None,
        jti=jti, person=person["name"], name=title, scopes=list(scopes), expires_at=expires_at,
    )  # fmt: skip
    narrowed = None if clients is None else tuple(dict.fromkeys(clients))
    return ApiToken(jti, person["person_id"], person["name"], narrowed, expires_at)


def load_tokens(connection: Connection, person_name: str | None = None) -> list[dict[str, Any]]:
    """Tokens, newest first: jti, name, person, scopes, clients, state, when made, used and ending.

    Raises:
        UnknownObjectError: If there is no such person.
    """
    person_id = load_person(connection, person_name)["person_id"] if person_name else None
    found = connection.execute(statement("api_token_list"), {"person_id": person_id}).mappings()
    return [dict(r) for r in found]


def revoke_token(connection: Connection, jti: str, actor: str = audit.LOCAL_OWNER) -> str:
    """Take a token back; within seconds nothing answers to it.

    Returns:
        What the token was for.

    Raises:
        UnknownObjectError: If there is none of that number, or it was taken back before.
    """
    row = connection.execute(statement("api_token_revoke"), {"jti": jti, "by": actor}).first()
    if row is None:
        raise UnknownObjectError(f"There is no token {jti!r} that holds.", "See: adlab token list")
    audit.record(connection, "token.revoke", actor=actor, jti=jti, name=row.name)
    return str(row.name)
