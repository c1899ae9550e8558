"""The walls around schema `api`: every grant, view and function that would let people past them.

`hardening` closes what PostgreSQL and TimescaleDB leave open; this looks at all that somebody may
have opened since: a grant by hand, a view without its barrier, an extension that leads outside.
Read by `adlab doctor`; whatever can be closed without a decision is closed at each migrate.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from sqlalchemy import Connection, text

from adlab.storage.engine import READER_ROLE
from adlab.storage.statements import statement

log = logging.getLogger(__name__)


class Hole(NamedTuple):
    """One way past the walls.

    Attributes:
        what: What is open, for people.
        fix: The statement that closes it; None where a person must decide.
    """

    what: str
    fix: str | None


def holes(connection: Connection) -> list[Hole]:
    """Every hole there is; empty when the walls stand, or when adlab was never set up here."""
    if connection.scalar(text("SELECT to_regrole(:role)"), {"role": READER_ROLE}) is None:
        return []
    return [Hole(*row) for row in connection.execute(statement("walls"))]


def mend(connection: Connection) -> list[str]:
    """Close every hole that can be closed without a decision; needs a superuser's connection.

    Returns:
        What was closed.
    """
    closed = []
    for what, fix in holes(connection):
        if fix is not None:
            connection.execute(text(fix))
            log.warning("wall_mended what=%r", what)
            closed.append(what)
    return closed
