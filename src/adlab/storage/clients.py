"""Clients: the tenants of an agency."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from adlab.core.entities import ClientId
from adlab.core.errors import ConflictError, UnknownObjectError
from adlab.core.money import check_currency
from adlab.core.periods import check_timezone
from adlab.storage import audit
from adlab.storage.statements import statement

_SLUG = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")


@dataclass(frozen=True)
class ClientRow:
    """A client as stored. `brand` may hold `color` (#rrggbb) and `logo` (data URI)."""

    client_id: ClientId
    slug: str
    name: str
    currency: str | None
    timezone: str | None
    status: str
    brand: dict[str, Any] = field(default_factory=dict)


def store_client(
    connection: Connection,
    name: str,
    slug: str,
    currency: str | None = None,
    timezone: str | None = None,
    brand: Mapping[str, Any] | None = None,
    *,
    actor: str = audit.LOCAL_OWNER,
) -> ClientRow:
    """Add a client; `actor` is who did, for the audit log.

    Raises:
        ConflictError: If the slug is taken.
        ValueError: If slug, name, currency or timezone is malformed.
    """
    if not _SLUG.match(slug):
        raise ValueError(
            f"{slug!r} is not a slug; use lower-case letters, digits and hyphens, such as acme-eu"
        )
    title = check_name(name, "a client's name", 200)
    currency = check_currency(currency) if currency else None
    timezone = check_timezone(timezone) if timezone else None
    if connection.scalar(statement("slug_of_former_client"), {"slug": slug}):
        raise ConflictError(
            f"A client {slug!r} was off-boarded; its short name stands in its certificate.",
            "Choose another --slug.",
        )
    client_id = connection.scalar(
        statement("client_insert"),
        {
            "slug": slug,
            "name": title,
            "currency": currency,
            "timezone": timezone,
            "brand": json.dumps(dict(brand or {})),
        },
    )
    if client_id is None:
        raise ConflictError(
            f"There is a client {slug!r} already.", "Choose another --slug, or use that client."
        )
    connection.execute(statement("access_analyze"))
    audit.record(connection, "client.add", actor=actor, client_id=client_id, slug=slug)
    return load_client(connection, slug)


def check_name(name: str, what: str, longest: int) -> str:
    """A name without surrounding space. Whatever else it holds, screens must show it safely.

    Raises:
        ValueError: If it is empty or too long.
    """
    title = name.strip()
    if not title or len(title) > longest:
        raise ValueError(f"{what} has 1 to {longest} characters")
    return title


def load_client(connection: Connection, slug: str) -> ClientRow:
    """The client of that slug.

    Raises:
        UnknownObjectError: If there is none; the message lists those that exist.
    """
    row = connection.execute(statement("client_by_slug"), {"slug": slug}).mappings().first()
    if row is None:
        known = ", ".join(c.slug for c in load_clients(connection)) or "none yet"
        raise UnknownObjectError(
            f"There is no client {slug!r}.",
            f"Clients: {known}. Add one: adlab client add NAME --slug {slug}",
        )
    return ClientRow(**row)


def load_clients(connection: Connection) -> list[ClientRow]:
    """Every client, by name."""
    return [ClientRow(**row) for row in connection.execute(statement("client_list")).mappings()]


def load_accounts(connection: Connection, client_id: int) -> list[dict[str, Any]]:
    """A client's accounts, when each was last read (aware UTC), and up to which day."""
    rows = connection.execute(statement("client_accounts"), {"client_id": client_id})
    return [dict(r) for r in rows.mappings()]


def store_face(
    connection: Connection, client_id: int, name: str | None, brand: Mapping[str, Any]
) -> None:
    """Set a client's name, and keys of its brand; None takes a key away."""
    connection.execute(
        statement("client_face"),
        {"client_id": client_id, "name": name, "brand": json.dumps(dict(brand))},
    )
