"""Reading as one person: every query runs under that person's database role, in schema `api`.

A `Reader` is opened with a person's own login (notebooks) or takes a viewer's role on a pooled
connection (boards). It refuses to read as nobody. What it may see is decided by the database.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, TextClause, text

from adlab.core.errors import (
    AccessDeniedError,
    AdlabError,
    DatabaseUnavailableError,
    DataError,
    SchemaOutOfDateError,
    TenantError,
)
from adlab.storage.engine import connect_engine, libpq_url, transaction, translate
from adlab.storage.statements import statement

log = logging.getLogger(__name__)

_ROLE = re.compile(r"^v_[0-9a-f]{12}$")


@dataclass(frozen=True)
class Identity:
    """Who reads.

    Attributes:
        name: The person.
        role: Their role in the agency.
        login: Database login in use.
        clients: Slugs of the clients they may see.
        login_expires_at: When the login ends (aware UTC), or None.
        grant_expires_at: When the first of their grants ends, or None.
    """

    name: str
    role: str
    login: str
    clients: tuple[str, ...]
    login_expires_at: datetime | None = None
    grant_expires_at: datetime | None = None


class Reader:
    """Reads schema `api` as one person.

    Args:
        engine: Where to connect; its login is the person's own, or the boards' service.
        viewer: The person's viewer role, for the boards' service; None for a login of their own.

    Raises:
        TenantError: If `viewer` is not a viewer role.
    """

    # Whether this is one person's own connection, such as a notebook's.
    is_of_one_person = False

    def __init__(self, engine: Engine, viewer: str | None = None) -> None:
        if viewer is not None and not _ROLE.match(viewer):
            raise TenantError(f"{viewer!r} is not a viewer's role.", "Log in again.")
        self._engine = engine
        self._viewer = viewer
        self._most_rows: int | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A read-only transaction under the person's role."""
        with transaction(self._engine) as connection:
            if self._viewer is not None:
                self._become(connection)
            connection.execute(text("SET TRANSACTION READ ONLY"))
            yield connection

    def _become(self, connection: Connection) -> None:
        # Reason: LOCAL, so that a pooled connection is nobody again when this ends.
        connection.execute(text(f"SET LOCAL ROLE {self._viewer}"))
        # Reason: taking a role takes none of its settings along.
        self._most_rows = connection.scalar(text("SELECT api.take_limits()"))

    def call(self, query: str, **binds: Any) -> Any:
        """What a function of schema `api` returns that writes, such as setting a budget.

        Notebook logins are read-only by default and stay so: only this one transaction may write,
        and only through functions that check the person's rights themselves.
        """
        with transaction(self._engine) as connection:
            connection.execute(text("SET TRANSACTION READ WRITE"))
            if self._viewer is not None:
                self._become(connection)
            return connection.scalar(statement(query), binds)

    def note(self, action: str, clients: Sequence[str] = (), **details: Any) -> None:
        """Write down what this person looked at or took away, in their own name.

        Never stops them: what cannot be written down is logged instead.

        Args:
            action: One of the actions people's programs may note, such as `board.view`.
            clients: Slugs of the clients it concerns; they may read the entry.
            details: What else is worth knowing; no secret.
        """
        try:
            self.call("call_note", action=action, clients=list(clients),
                      details=json.dumps(details, default=str))  # fmt: skip
        except AdlabError as error:
            log.warning("note_lost action=%s error=%s", action, type(error).__name__)

    def rows(self, query: str | TextClause, **binds: Any) -> list[dict[str, Any]]:
        """Rows of a statement: a name in `sql/`, or a built one."""
        clause = statement(query) if isinstance(query, str) else query
        with self.connection() as connection:
            return [dict(r) for r in connection.execute(clause, binds).mappings()]

    def frame(self, query: str | TextClause, **binds: Any) -> pd.DataFrame:
        """The same as a DataFrame; its columns are there even without rows.

        Raises:
            DataError: If there are more rows than the person's role may have at once.
        """
        clause = statement(query) if isinstance(query, str) else query
        with self.connection() as connection:
            result = connection.execute(clause, binds)
            columns = list(result.keys())
            check_rows(result.rowcount, self._most_rows)
            fetched = result.fetchall()
        if not fetched:
            return pd.DataFrame({c: pd.Series(dtype=object) for c in columns})
        return pd.DataFrame(
            {c: _column(v) for c, v in zip(columns, zip(*fetched, strict=True), strict=True)}
        )

    def identity(self) -> Identity:
        """Who this reader is.

        Raises:
            AccessDeniedError: If the login is unknown or has expired.
        """
        found = self.rows("read_whoami")
        if not found:
            raise AccessDeniedError(
                "This login is unknown to adlab, or has expired.",
                "Ask an admin for a new one: adlab user credential NAME",
            )
        row = found[0]
        return Identity(
            name=row["name"],
            role=row["role"],
            login=row["login"],
            clients=tuple(row["clients"]),
            login_expires_at=row["login_expires_at"],
            grant_expires_at=row["grant_expires_at"],
        )

    def close(self) -> None:
        """Close pooled connections of a reader with a login of its own."""
        if self._viewer is None:
            self._engine.dispose()


def _column(cells: Sequence[Any]) -> Any:
    """A column as pandas should hold it: identifiers with gaps stay whole numbers.

    Reason: pandas turns integers with a gap into floats, which keep 15 of an id's 18 digits.
    """
    if any(c is None for c in cells) and any(type(c) is int for c in cells):
        return pd.array(list(cells), dtype="Int64")
    return list(cells)


class LoginReader(Reader):
    """A reader with its own login; large frames come through ADBC, three times as fast.

    Args:
        url: The person's database URL.
        now: Current aware time, for tests.
    """

    is_of_one_person = True

    def __init__(self, url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(connect_engine(url, pool_size=2, application="adlab notebook"))
        self._url = libpq_url(url)
        self._now = now
        self._asked = False
        self._ends: datetime | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A read-only transaction under this login.

        Raises:
            AccessDeniedError: If the login's time is over; says since when.
        """
        self._refuse_when_over()
        try:
            with super().connection() as connection:
                if not self._asked:
                    self._ask(connection)
                yield connection
        except (AccessDeniedError, DatabaseUnavailableError):
            self._refuse_when_over()
            raise

    def _ask(self, connection: Connection) -> None:
        # Reason: every column, because a database of another version may lack some, which
        # `check_schema` is to say.
        row = connection.execute(text("SELECT * FROM api.whoami()")).mappings().first()
        self._asked = True
        if row is not None:
            self._ends, self._most_rows = row["login_expires_at"], row.get("rows")

    def _refuse_when_over(self) -> None:
        if self._ends is not None and self._now() >= self._ends:
            # Reason: an open session would go on and see nothing, which reads like empty data.
            raise AccessDeniedError(
                f"Your login ended at {self._ends:%Y-%m-%d %H:%M} UTC.",
                "Restart your server, or ask an admin for a new one: adlab user credential NAME",
            )

    def arrow_frame(self, sql: str, binds: Mapping[str, Any]) -> pd.DataFrame:
        """A large result through ADBC.

        Args:
            sql: A statement with `:name` binds.
            binds: Their values; lists become arrays.

        Raises:
            DataError: If there are more rows than the person's role may have at once.
        """
        import adbc_driver_postgresql.dbapi as adbc
        import pyarrow as pa

        with self.connection() as connection:
            # Reason: binding on the server side through psycopg's own quoting keeps one way of
            # writing statements; ADBC would need another spelling of parameters.
            compiled = _inline(connection, sql, binds)
        try:
            with adbc.connect(self._url) as link, link.cursor() as cursor:
                cursor.execute("SET timezone = 'UTC'")
                cursor.execute(compiled)
                stream, batches, count = cursor.fetch_record_batch(), [], 0
                for batch in stream:
                    count += batch.num_rows
                    check_rows(count, self._most_rows)
                    batches.append(batch)
                frame: pd.DataFrame = pa.Table.from_batches(batches, stream.schema).to_pandas()
        except adbc.Error as error:
            self._refuse_when_over()
            raise translate(error, self._engine.url) from error
        return frame


def check_rows(count: int, most: int | None) -> None:
    """Refuse an answer that is larger than a role may have at once.

    Args:
        count: Its rows.
        most: The role's limit; None for no limit.

    Raises:
        DataError: If it is larger; names the limit.
    """
    if most is not None and count > most:
        raise DataError(
            f"The answer has more than {most:,} rows, the most your role may have at once.",
            "Ask for fewer days, clients or levels, or sum it up in the question.",
        )


def _inline(connection: Connection, sql: str, binds: Mapping[str, Any]) -> str:
    from psycopg import sql as pgsql

    from adlab.storage.engine import raw

    driver = raw(connection)
    quote: Callable[[Any], str] = lambda v: pgsql.Literal(v).as_string(driver)  # noqa: E731
    return re.sub(r"(?<!:):([a-z_]+)\b", lambda m: quote(binds[m[1]]), sql)


def check_schema(reader: Reader, wanted: str) -> None:
    """Refuse to read a database of another schema version.

    Raises:
        SchemaOutOfDateError: If the versions differ, with what to do.
    """
    with reader.connection() as connection:
        found = connection.scalar(text("SELECT api.schema_version()"))
    if found != wanted:
        raise SchemaOutOfDateError(
            f"The database has schema {found}, this adlab wants {wanted}.",
            "Ask the admin to update: the database, or this environment's adlab.",
        )
