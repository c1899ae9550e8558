"""Which key is whose: names of clients' keys. The keys themselves are never in the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from adlab.core.errors import UnknownObjectError
from adlab.storage.engine import transaction
from adlab.storage.statements import statement


@dataclass(frozen=True)
class StoredKey:
    """What the store knows of a client's key.

    Attributes:
        name: Name of its file.
        fingerprint: How to recognise it; None until it is made.
    """

    name: str
    fingerprint: str | None


class KeyRegister:
    """Names of clients' keys in the store.

    Args:
        engine: Gives the owner's engine; asked when a key is first needed.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine

    def find(self, client_id: int) -> StoredKey:
        """The key of a client.

        Raises:
            UnknownObjectError: If there is no such client.
        """
        with transaction(self._engine()) as connection:
            return load_key(connection, client_id)

    def note(self, client_id: int, fingerprint: str) -> None:
        """Keep how to recognise a key that was just made."""
        with transaction(self._engine()) as connection:
            connection.execute(
                statement("client_key_made"),
                {"client_id": client_id, "fingerprint": fingerprint},
            )


def load_key(connection: Connection, client_id: int) -> StoredKey:
    """The key of a client.

    Raises:
        UnknownObjectError: If there is no such client.
    """
    row = connection.execute(statement("client_key"), {"client_id": client_id}).first()
    if row is None:
        raise UnknownObjectError("There is no such client.", "See them: adlab client list")
    return StoredKey(row.key_name, row.fingerprint)


def load_destroyed(connection: Connection) -> set[str]:
    """Names of keys that were destroyed when their client was off-boarded."""
    return set(connection.scalars(statement("client_keys_destroyed")))
