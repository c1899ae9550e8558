"""From a session to a person, their database role, and a reader with their rights."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, text

from adlab.storage.access import hash_token
from adlab.storage.engine import transaction
from adlab.storage.statements import statement
from adlab.storage.tenancy import Reader

TTL_SECONDS = 30.0


@dataclass(frozen=True)
class Viewer:
    """A person, as the database knows them.

    Attributes:
        person_id: Their number.
        name: Their name.
        role: Their role in the agency.
        login: The database role boards take for them.
    """

    person_id: int
    name: str
    role: str
    login: str


class Viewers:
    """Looks people up, remembering the answer for half a minute.

    Args:
        engine: Logged in as the boards' service, which is nobody itself.
        clock: Seconds; tests move it.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._known: dict[int, tuple[float, Viewer | None]] = {}
        self._named: dict[str, tuple[float, Viewer | None]] = {}
        self._lock = threading.Lock()

    def find(self, person_id: int) -> Viewer | None:
        """The person, or None when they are unknown or disabled."""
        with self._lock:
            at, viewer = self._known.get(person_id, (-TTL_SECONDS, None))
            if self._clock() - at < TTL_SECONDS:
                return viewer
        with transaction(self._engine) as connection:
            row = connection.execute(
                statement("viewer_of"),
                {"person_id": person_id},
            ).first()
        viewer = None if row is None else Viewer(person_id, row.name, row.role, row.login)
        with self._lock:
            self._known[person_id] = (self._clock(), viewer)
        return viewer

    def find_named(self, username: str) -> Viewer | None:
        """The person of a username the hub has proved, or None when unknown or disabled."""
        with self._lock:
            at, viewer = self._named.get(username, (-TTL_SECONDS, None))
            if self._clock() - at < TTL_SECONDS:
                return viewer
        with transaction(self._engine) as connection:
            row = connection.execute(statement("viewer_named"), {"username": username}).first()
        viewer = None if row is None else Viewer(row.person_id, row.name, row.role, row.login)
        with self._lock:
            self._named[username] = (self._clock(), viewer)
        return viewer

    def reader(self, viewer: Viewer) -> Reader:
        """A reader with this person's rights, and no others."""
        return Reader(self._engine, viewer.login)

    def use_login_link(self, token: str) -> int | None:
        """The person a one-time link was made for; None when used, expired or unknown."""
        if not 20 <= len(token) <= 200:
            return None
        with transaction(self._engine) as connection:
            person_id: int | None = connection.scalar(
                statement("login_link_use"), {"hash": hash_token(token)}
            )
        return person_id

    def ping(self) -> None:
        """Ask the database anything.

        Raises:
            StorageError: If it does not answer.
        """
        with transaction(self._engine) as connection:
            connection.execute(text("SELECT 1"))
