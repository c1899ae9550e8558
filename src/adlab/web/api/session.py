"""One transaction for one request: what is asked together is read together, and costs less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from adlab.storage.engine import translate
from adlab.storage.tenancy import Reader


class RequestReader(Reader):
    """Reads with a person's rights, in one transaction until `rest`.

    Args:
        engine: Logged in as the boards' service.
        viewer: The person's viewer role.
    """

    def __init__(self, engine: Engine, viewer: str) -> None:
        super().__init__(engine, viewer)
        self._begun: tuple[AbstractContextManager[Connection], Connection] | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """The read-only transaction of this request, begun when first needed."""
        if self._begun is None:
            context = super().connection()
            self._begun = context, context.__enter__()
        try:
            yield self._begun[1]
        except (DBAPIError, psycopg.Error) as error:
            self.rest()
            raise translate(error, self._engine.url) from error

    def call(self, query: str, **binds: Any) -> Any:
        """As `Reader.call`; what is read afterwards sees what it wrote."""
        self.rest()
        return super().call(query, **binds)

    def rest(self) -> None:
        """Give the connection back; the next question takes another."""
        begun, self._begun = self._begun, None
        if begun is not None:
            begun[0].__exit__(None, None, None)
