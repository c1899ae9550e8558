"""Engines and transactions, and the translation of database errors into ours.

An operator's connection always acts as `adlab_owner`; a person's acts as that person's login.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from adlab.core.errors import (
    AccessDeniedError,
    AdlabError,
    ConcurrentWriteError,
    DatabaseUnavailableError,
    DiskFullError,
    StorageError,
)

OWNER_ROLE = "adlab_owner"
READER_ROLE = "adlab_reader"
BOARDS_ROLE = "adlab_boards"
HOOKS_ROLE = "adlab_hooks"


def parse_url(url: str) -> URL:
    """Read a database URL and pin the driver to psycopg 3.

    Raises:
        ValueError: If it is no PostgreSQL URL; the text never repeats the password.
    """
    try:
        parsed = make_url(url)
    except Exception:
        raise ValueError("it is not a URL; example: postgresql://user:password@host/db") from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(
            f"it names {parsed.get_backend_name()!r}; adlab stores in PostgreSQL: "
            "postgresql://user:password@host/db"
        )
    return parsed.set(drivername="postgresql+psycopg")


def libpq_url(url: str | URL) -> str:
    """The same address for libpq and ADBC, password included. Never log it."""
    parsed = parse_url(url) if isinstance(url, str) else url
    return parsed.set(drivername="postgresql").render_as_string(hide_password=False)


def connect_engine(url: str, *, pool_size: int = 5, application: str = "adlab") -> Engine:
    """An engine on `url` with small pools, UTC sessions and a bounded connect time."""
    return create_engine(
        parse_url(url),
        pool_size=pool_size,
        max_overflow=10,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "application_name": application,
            "connect_timeout": 10,
            "options": "-c timezone=UTC",
        },
    )


def owner_engine(url: str, *, pool_size: int = 5) -> Engine:
    """An engine whose connections act as `adlab_owner`, whoever logged in."""
    engine = connect_engine(url, pool_size=pool_size)

    @event.listens_for(engine, "connect")
    def _become_owner(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {OWNER_ROLE}")
        connection.commit()

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction; commits at the end, rolls back on any error.

    Raises:
        DatabaseUnavailableError: If the server cannot be reached or went away.
        DiskFullError: If its disk is full.
        AccessDeniedError: If the login has expired or may not do this.
        StorageError: For any other database error.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except AdlabError:
        raise
    except (DBAPIError, psycopg.Error) as error:
        raise translate(error, engine.url) from error


def raw(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection below, inside the same transaction (for COPY)."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise StorageError("The database driver is not psycopg 3.", "Reinstall adlab.")
    return driver


# Unique violation, deadlock, serialization failure.
_CONCURRENT = ("23505", "40P01", "40001")
_LOGIN_TROUBLE = ("28P01", "28000")


def translate(error: Exception, url: URL | None = None) -> AdlabError:
    """Turn a driver's error into one of ours; the text never holds a password."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(origin, "sqlstate", None) or ""
    text = _redact(str(origin).strip().splitlines()[0] if str(origin).strip() else repr(origin))
    where = "" if url is None else f" at {url.host or 'the local socket'}:{url.port or 5432}"
    if state == "53100" or "No space left" in text:
        return DiskFullError(
            "The database's disk is full; the current step was rolled back and nothing is lost.",
            "Free space, then run the same command again.",
        )
    if state in _LOGIN_TROUBLE or re.search(
        "password authentication failed|role .* does not", text
    ):
        return AccessDeniedError(
            f"The database{where} refused this login.",
            "Logins are short-lived: restart your server, or ask an admin for a new one (adlab "
            "user credential NAME).",
        )
    if state == "57P01" or "terminating connection due to administrator command" in text:
        return DatabaseUnavailableError(
            f"The database{where} ended this session: it was restarted, what you may see was "
            "changed, or a statement ran beyond your role's limit.",
            "Run it again. If your login is refused then, restart your server or ask an admin for "
            "a new one (adlab user credential NAME).",
        )
    if state == "57014":
        return StorageError("The statement took too long and was stopped.", "Ask for less.")
    if "too many connections for role" in text:
        return AccessDeniedError(
            "Your login has as many sessions open as your role may have.",
            "Close notebooks you do not use (Kernel, Shut down), then run it again.",
        )
    if state == "42501":
        return AccessDeniedError(text, "This login may read schema api only.")
    if state in _CONCURRENT:
        return ConcurrentWriteError(
            f"Somebody else wrote the same rows at the same moment: {text}", "Run it again."
        )
    if state in ("57P01", "57P02", "57P03", "53300") or isinstance(
        error, (OperationalError, psycopg.OperationalError)
    ):
        return DatabaseUnavailableError(
            f"The database{where} cannot be reached: {text}",
            "Check that it runs (adlab doctor); what was committed before is safe.",
        )
    return StorageError(f"The database refused: {text}", "Run adlab doctor for a check.")


def _redact(text: str) -> str:
    return re.sub(r"(://[^:/@\s]+:)[^@\s]+@", r"\1…@", text)
