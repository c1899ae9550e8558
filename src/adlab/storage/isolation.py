"""What a check of the isolation needs of the store: people made for it, what to aim at, results."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from adlab.core.roles import Role
from adlab.storage import access, timescale
from adlab.storage.statements import statement

MARK = "isolation-check-"
HOURS = 1.0
LISTS = ("relations", "inner", "chunks", "aggregates", "secrets")


@dataclass(frozen=True)
class TestPerson:
    """A person made for a check.

    Attributes:
        role: Their role in the agency and on their client.
        name: Says what they are for.
        viewer: Database role they have on the boards.
        login, password: A login of their own, as notebooks have.
    """

    # Reason: pytest collects classes by their name.
    __test__ = False

    role: Role
    name: str
    viewer: str
    login: str
    password: str


def make_person(connection: Connection, role: Role, slug: str) -> TestPerson:
    """Make a person with that role on one client, with a login for an hour.

    Args:
        connection: An operator's transaction.
        role: In the agency, and on the client.
        slug: The client.
    """
    tag = secrets.token_hex(4)
    name = f"isolation check {role.value} {tag}"
    username = f"{MARK}{role.value.replace('_', '-')}-{tag}"
    access.store_person(connection, name, role, username)
    access.grant(
        connection, name, slug, role, datetime.now(UTC) + timedelta(hours=HOURS),
        "check of the isolation",
    )  # fmt: skip
    login, password = access.create_credential(connection, name, HOURS)
    viewer: str = access.load_person(connection, name)["viewer"]
    return TestPerson(role, name, viewer, login, password)


def sweep(connection: Connection) -> int:
    """Drop everybody a check made, also one that was cut off. Their sessions see nothing any more.

    Returns:
        How many people there were.
    """
    for login in connection.scalars(statement("isolation_logins")).all():
        connection.execute(text(f"DROP ROLE IF EXISTS {login}"))
    return int(connection.execute(statement("isolation_forget")).rowcount)


def drop_boards_login(connection: Connection, login: str) -> None:
    """Drop a login of the boards that was made for a check."""
    connection.execute(text(f"DROP ROLE IF EXISTS {login}"))


def load_places(connection: Connection) -> list[Mapping[str, Any]]:
    """Clients that have an account; the columns of `isolation_places.sql`."""
    return [dict(r) for r in connection.execute(statement("isolation_places")).mappings()]


def load_list(connection: Connection, name: str) -> tuple[str, ...]:
    """One of `LISTS`: what exists in the database, to be aimed at."""
    found = connection.scalars(statement(f"isolation_{name}")).all()
    return tuple(str(one) for one in found if one)


def engine_name(connection: Connection) -> str:
    """The server, such as `PostgreSQL 18.6, TimescaleDB 2.29.2`."""
    server = connection.scalar(text("SHOW server_version"))
    extension = timescale.version(connection)
    base = f"PostgreSQL {str(server).split()[0]}"
    return f"{base}, TimescaleDB {extension}" if extension else base


def store_run(connection: Connection, details: Sequence[Mapping[str, Any]], **run: Any) -> int:
    """Keep a finished check.

    Args:
        connection: An operator's transaction.
        details: Its leaks, without what leaked.
        run: The other columns of `app.isolation_run`.

    Returns:
        Its number.
    """
    found = connection.scalar(
        statement("isolation_insert"), {**run, "details": json.dumps(list(details), default=str)}
    )
    return int(found or 0)
