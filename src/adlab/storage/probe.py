"""A login's own connection on which hostile statements are tried, and all it tells back.

Whatever is done in it is rolled back. Used to find out what a person could reach, never to work.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

MOST_ROWS = 2000


@dataclass(frozen=True)
class Answer:
    """What the server answered to one statement.

    Attributes:
        state: SQLSTATE of its error, or "" if it worked.
        rows: Rows it gave, at most `MOST_ROWS`.
        columns: Their names.
        said: Error and notices, with details, hints and context.
        seconds: How long it took.
    """

    state: str
    rows: tuple[tuple[Any, ...], ...]
    columns: tuple[str, ...]
    said: str
    seconds: float

    @property
    def text(self) -> str:
        """Everything that reached the attacker."""
        return f"{self.said}\n{self.rows!r}"


class Probe:
    """One connection.

    Args:
        url: For libpq; never logged.
        viewer: Role to take in every transaction, as the boards do; None for a login of one's own.
    """

    def __init__(self, url: str, viewer: str | None = None) -> None:
        self._url = url
        self._viewer = viewer
        self._link: psycopg.Connection[Any] | None = None
        self._notes: list[str] = []

    def _open(self) -> psycopg.Connection[Any]:
        if self._link is None or self._link.closed:
            self._link = psycopg.connect(
                self._url, autocommit=True, connect_timeout=10, prepare_threshold=None
            )
            self._link.add_notice_handler(
                lambda note: self._notes.append(
                    f"{note.message_primary} {note.message_detail} {note.context}"
                )
            )
        return self._link

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A transaction that may write and is always rolled back; then nothing of it is left."""
        link = self._open()
        link.execute("BEGIN READ WRITE")
        # Reason: an attack must not hold up the people who work.
        link.execute("SET LOCAL lock_timeout = '2s'")
        if self._viewer is not None:
            link.execute(f"SET LOCAL ROLE {self._viewer}")
        try:
            yield
        finally:
            if not link.closed:
                link.execute("ROLLBACK")
                link.execute("DISCARD ALL")

    def ask(self, query: str, *, alone: bool = False) -> Answer:
        """Try a statement, inside `attempt` unless it cannot run in a transaction (`alone`)."""
        link = self._open()
        self._notes.clear()
        if alone:
            link.execute("SET default_transaction_read_only = off")
            return _answer(link, query, self._notes)
        link.execute("SAVEPOINT tried")
        answer = _answer(link, query, self._notes)
        if not link.closed:
            link.execute("ROLLBACK TO SAVEPOINT tried" if answer.state
                         else "RELEASE SAVEPOINT tried")  # fmt: skip
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._link.close()


class Pooled:
    """One connection of the boards' login, used by one viewer after another.

    Args:
        url: For libpq; never logged.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._link: psycopg.Connection[Any] | None = None

    def visit(
        self, viewer: str | None, queries: Sequence[str], *, commit: bool, each: bool = False
    ) -> list[Answer]:
        """Run statements in one transaction as a viewer, and leave the connection as it then is.

        Args:
            viewer: Role to take, or None for nobody's.
            queries: One after another.
            commit: Whether to commit at the end, or to roll back as after an error.
            each: Whether one that fails lets the next ones run.
        """
        if self._link is None or self._link.closed:
            self._link = psycopg.connect(
                self._url, autocommit=True, connect_timeout=10, prepare_threshold=None
            )
        link = self._link
        link.execute("BEGIN")
        if viewer is not None:
            link.execute(f"SET LOCAL ROLE {viewer}")
        answers = []
        for query in queries:
            if each:
                link.execute("SAVEPOINT one")
            answer = _answer(link, query, [])
            if answer.state and each:
                link.execute("ROLLBACK TO SAVEPOINT one")
            answers.append(answer)
        link.execute("COMMIT" if commit else "ROLLBACK")
        return answers

    def close(self) -> None:
        """Close the connection, so that the next attack starts with a new one."""
        if self._link is not None:
            self._link.close()
            self._link = None


def _answer(link: psycopg.Connection[Any], query: str, notes: list[str]) -> Answer:
    began = time.perf_counter()
    state, error = "", ""
    rows: tuple[tuple[Any, ...], ...] = ()
    columns: tuple[str, ...] = ()
    try:
        rows, columns = _run(link, query)
    except psycopg.Error as problem:
        state = problem.sqlstate or "XX000"
        d = problem.diag
        told = (d.message_primary, d.message_detail, d.message_hint, d.context,
                d.internal_query, d.constraint_name, d.column_name, d.table_name)  # fmt: skip
        error = " ".join(t for t in told if t) or str(problem)
    seconds = time.perf_counter() - began
    return Answer(state, rows, columns, "\n".join([error, *notes]), seconds)


def _run(
    link: psycopg.Connection[Any], query: str
) -> tuple[tuple[tuple[Any, ...], ...], tuple[str, ...]]:
    text: Any = query
    with link.cursor() as cursor:
        upper = query.lstrip().upper()
        if upper.startswith("COPY") and ("STDOUT" in upper or "STDIN" in upper):
            with cursor.copy(text) as copy:
                if "STDIN" in upper:
                    return (("copying in was accepted",),), ("copy",)
                return tuple((bytes(row),) for row in _some(copy)), ("copy",)
        cursor.execute(text)
        if cursor.description is None:
            return (), ()
        return tuple(cursor.fetchmany(MOST_ROWS)), tuple(c.name for c in cursor.description)


def _some(copy: psycopg.Copy) -> Sequence[Any]:
    return [row for _, row in zip(range(MOST_ROWS), copy, strict=False)]
