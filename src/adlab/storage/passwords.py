"""Passwords: set, checked, locked after repeated failures; and links that set one.

Hashes are argon2id (argon2-cffi's defaults). Nothing here tells an unknown person from a wrong
password, neither in words nor in the time it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from adlab.core.errors import AccessDeniedError, UnknownObjectError
from adlab.storage import audit
from adlab.storage.access import hash_token, load_person
from adlab.storage.statements import statement

SHORTEST, LONGEST = 10, 200
FAILURES_BEFORE_LOCK = 5


@dataclass(frozen=True)
class Known:
    """A person who has proved who they are.

    Attributes:
        person_id: Number in the store.
        name: What people call them.
        username: What they log in with.
        role: Their role in the agency.
    """

    person_id: int
    name: str
    username: str
    role: str


class LockedError(AccessDeniedError):
    """Too many wrong passwords; none is looked at for a while."""


def locked_error(until: datetime) -> LockedError:
    """What somebody is told whose name is locked, whether there is such a name or not.

    Args:
        until: When the next password is looked at (aware UTC).
    """
    return LockedError(
        "Too many wrong passwords for this name.",
        f"Try again after {until:%H:%M} UTC, or ask an admin for a link.",
    )


def lock_minutes(failures: int) -> int:
    """For how long so many failures in a row lock a name; as `password_failed` counts."""
    over = failures - FAILURES_BEFORE_LOCK
    return 0 if over < 0 else min(60, 2 ** min(over, 10))


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    return str(_hasher().hash("nobody has this password"))


def check_strength(password: str, username: str) -> str:
    """A password fit to be set.

    Raises:
        ValueError: If it is too short, too long or the username.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters")
    if password.strip().lower() == username or len(set(password)) < 4:
        raise ValueError("this password is too easy to guess; use several words")
    return password


def set_password(connection: Connection, name: str, password: str) -> Known:
    """Set or reset a person's password.

    Raises:
        UnknownObjectError: If there is no such person.
        ValueError: If the password is not fit.
    """
    person = load_person(connection, name)
    check_strength(password, person["username"])
    _store(connection, person["person_id"], password)
    audit.record(connection, "user.password", person=person["name"])
    return Known(person["person_id"], person["name"], person["username"], person["role"])


def check_password(connection: Connection, who: str, password: str) -> Known | None:
    """The person behind a username (or name) and password; None when they do not fit.

    Raises:
        LockedError: If there were too many failures; says until when.
    """
    row = connection.execute(statement("password_of"), {"who": who.strip()}).mappings().first()
    if row is None:
        _fits(_nobodys_hash(), password)
        return None
    if row["locked"]:
        raise locked_error(row["locked_until"])
    if not _fits(row["hash"], password):
        connection.execute(
            statement("password_failed"),
            {"person_id": row["person_id"], "patience": FAILURES_BEFORE_LOCK},
        )
        return None
    connection.execute(statement("password_passed"), {"person_id": row["person_id"]})
    if _hasher().check_needs_rehash(row["hash"]):
        _store(connection, row["person_id"], password)
    return Known(row["person_id"], row["name"], row["username"], row["role"])


def load_known(connection: Connection, username: str) -> Known | None:
    """The person of a username, unless disabled."""
    row = connection.execute(
        statement("person_of_username"), {"username": username}
    ).mappings().first()  # fmt: skip
    return None if row is None else Known(**row)


def find_password_link(connection: Connection, token: str) -> Known | None:
    """Whose password a link may set; None when it is used, over or unknown."""
    row = connection.execute(
        statement("password_link_person"), {"hash": hash_token(token)}
    ).mappings().first()  # fmt: skip
    return None if row is None else Known(**row)


def use_password_link(connection: Connection, token: str, password: str) -> Known:
    """Set the password of whom a link was made for; the link is used up.

    Raises:
        UnknownObjectError: If the link is used, over or unknown.
        ValueError: If the password is not fit; the link stays good.
    """
    known = find_password_link(connection, token)
    if known is None:
        raise UnknownObjectError(
            "This link has been used or has expired.", "Ask the agency for a new one."
        )
    check_strength(password, known.username)
    connection.execute(statement("password_link_use"), {"hash": hash_token(token)})
    _store(connection, known.person_id, password)
    audit.record(connection, "user.password", actor=known.name, person=known.name, by="link")
    return known


def _store(connection: Connection, person_id: int, password: str) -> None:
    connection.execute(
        statement("password_set"), {"person_id": person_id, "hash": _hasher().hash(password)}
    )


def _fits(stored: str, password: str) -> bool:
    # Reason: argon2 takes long texts as they are; nobody should make it work on megabytes.
    try:
        return len(password) <= LONGEST and _hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
