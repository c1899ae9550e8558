"""What the store says of people right now: role and clients, and how servers are named by them.

A named server is one client's: `/user/ann/acme-eu/` holds a login that sees `acme-eu` alone. Which
client a name stands for is worked out from the person's own clients, so that a name of a client
they were not given means nothing here, whether it exists or not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from adlab.core.roles import Right, has_right
from adlab.storage.statements import statement

# What JupyterHub 6 takes for a server's name, and how long it may be.
_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
LONGEST = 30


@dataclass(frozen=True)
class OneClient:
    """A client somebody sees.

    Attributes:
        client_id: Its number.
        slug: Its short name.
        name: What people call it.
    """

    client_id: int
    slug: str
    name: str

    @property
    def server(self) -> str:
        """The name of the server that sees this client alone."""
        return server_name(self.slug)


@dataclass(frozen=True)
class Person:
    """Somebody who may log in.

    Attributes:
        person_id: Their number.
        name: What people call them.
        username: What they log in with.
        role: Their role in the agency.
        clients: What they see now.
    """

    person_id: int
    name: str
    username: str
    role: str
    clients: tuple[OneClient, ...]

    @property
    def has_notebooks(self) -> bool:
        """Whether their role includes notebooks."""
        return has_right(self.role, Right.USE_NOTEBOOKS)

    def client_of(self, server: str) -> OneClient | None:
        """The client a named server is for; None when they see no such client."""
        return next((c for c in self.clients if c.server == server), None)


def server_name(slug: str) -> str:
    """The hub's name for a client's server: the slug, or a shortened one that is its alone."""
    if len(slug) <= LONGEST and _NAME.fullmatch(slug):
        return slug
    plain = re.sub(r"-+", "-", slug)[:19].strip("-")
    # Reason: the hash is of the whole slug, so two long slugs that begin alike stay apart.
    return f"c-{plain}-{hashlib.sha256(slug.encode()).hexdigest()[:8]}"


def load_people(connection: Connection, usernames: Iterable[str]) -> dict[str, Person]:
    """People by username; who is disabled or unknown is left out.

    Args:
        connection: An operator's transaction.
        usernames: Whom to ask for.
    """
    rows = connection.execute(
        statement("hub_people"), {"usernames": list(usernames)}
    ).mappings().all()  # fmt: skip
    return {
        row["username"]: Person(
            row["person_id"], row["name"], row["username"], row["role"],
            tuple(OneClient(**client) for client in row["clients"]),
        )
        for row in rows
    }  # fmt: skip
